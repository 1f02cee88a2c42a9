"""Plays tests/scenarios/*.txt.

With TEST_REWRITE=1 what happens now is written into them: read the diff.
"""

import os
from pathlib import Path

import pytest

from tests.support.scenarios.player import Player
from tests.support.scenarios.transcript import read_steps, write_steps

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


def play(text: str) -> str:
    """The transcript, with the effects that follow now."""
    title, steps = read_steps(text)
    player = Player()
    played = [
        step._replace(effects=[said for line in step.commands for said in player.play(line)])
        for step in steps
    ]
    return write_steps(title, played)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    before = path.read_text()
    now = play(before)
    if os.environ.get("TEST_REWRITE") == "1":
        path.write_text(now)
    else:
        assert now == before


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 6


@pytest.mark.parametrize("text", ["create orders\n----\n", "# What?\n\ncreate orders\n"])
def test_what_is_no_transcript(text: str) -> None:
    with pytest.raises(ValueError, match=r"transcript begins|no line of dashes"):
        read_steps(text)
