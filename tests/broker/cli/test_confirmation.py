import asyncio
import io
import signal
import sys

import pytest

from tapemq_broker.cli.confirmation import confirm
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


def test_yes_on_the_command_line_asks_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    confirm("Really?", yes=True)
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_nobody_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(CommandError) as caught:
        confirm("Really?", yes=False)
    assert (caught.value.code, caught.value.advice) == (Exit.USAGE, "pass --yes")


def test_a_person_can_agree(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    confirm("Really?", yes=False)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Really? [y/N]")


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_a_person_can_refuse(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    with pytest.raises(CommandError, match="nothing was done"):
        confirm("Really?", yes=False)


def test_one_interrupt_ends_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Terminal):
        def readline(self, size: int = -1) -> str:  # type: ignore[override]
            signal.raise_signal(signal.SIGINT)
            pytest.fail("it goes on waiting for an answer")

    async def ask() -> None:
        confirm("Sure?", False)

    monkeypatch.setattr("sys.stdin", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(ask())
