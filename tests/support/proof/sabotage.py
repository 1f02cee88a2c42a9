"""A pytest plugin that runs tests on an engine broken on purpose.

With `-p tests.support.proof.sabotage` the tests that are named are not run as they are, but once
for each control that names them, with its swaps in place; the file that `TEST_SABOTAGE` names gets
a line for each: the control's number, and how many tests passed and failed.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from _pytest.runner import runtestprotocol

from tests.support.proof.controls import CONTROLS
from tests.support.proof.controls.control import Control, apply


class Outcome(NamedTuple):
    """What became of the tests of a control, and of the first that failed, the end of its words."""

    number: int
    passed: int
    failed: int
    said: str


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Take the place of pytest's own loop."""
    path = Path(os.environ["TEST_SABOTAGE"])
    with path.open("w") as file:
        for number, control in enumerate(CONTROLS):
            items = [item for item in session.items if _is_of(control, item)]
            if control.swaps and items:
                file.write(json.dumps(_run(number, control, items)) + "\n")
                file.flush()
    return True


def _is_of(control: Control, item: pytest.Item) -> bool:
    return item.nodeid == control.test or item.nodeid.startswith(f"{control.test}[")


def _run(number: int, control: Control, items: list[pytest.Item]) -> Outcome:
    passed = failed = 0
    said = ""
    for item in items:
        with pytest.MonkeyPatch.context() as patch:
            apply(control, patch)
            reports = runtestprotocol(item, nextitem=None, log=False)
        bad = [report for report in reports if report.failed]
        if bad:
            failed += 1
            said = said or bad[0].longreprtext[-2000:]
            break  # one is enough, and many of them are slow
        passed += any(report.when == "call" and report.passed for report in reports)
    return Outcome(number, passed, failed, said)


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """What a run has written."""
    for line in path.read_text().splitlines():
        yield Outcome(*json.loads(line))
