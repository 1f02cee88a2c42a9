"""docs/reliability.md: it is what the evidence says, and its tables name what there is."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.mutation.reasons import REASONS
from tests.support.mutation.results import Result, keep_result, read_results
from tests.support.mutation.targets import TARGETS
from tests.support.proof.bug import Bug
from tests.support.proof.bugs import BUGS
from tests.support.proof.evidence import Figure, Line, write
from tests.support.proof.promises import PROMISES
from tests.support.proof.report import DOCUMENT, EVIDENCE, GOAL_PERCENT, render, table
from tests.support.sources import ROOT

TEST = "tests/a/test_b.py::t"
ROW = "| `a/test_b.py::t` | long | 1,000 kills | 12,345 | 0 |  | 2 | 1 failed |"
DETAILS = "| `a/test_b.py::t` | long | kills | 2026-01-31 | 61 s | slowest start 3.1 s |"
OVERVIEW = "| P2 Written ack | 1, 1 failed | 2,000 | 24,690 | 0 |  | 4 | 2 |"


def test_document_is_what_the_evidence_says() -> None:
    assert DOCUMENT.read_text() == render(), "run: make prove ARGS=--only-render"


def test_every_promise_is_in_it() -> None:
    assert re.findall(r"^### (P\d+)$", DOCUMENT.read_text(), re.MULTILINE) == list(PROMISES)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.recipe.rpartition("::")[2])
def test_bug_is_shown_by_a_test_that_there_is(bug: Bug) -> None:
    path, _, name = bug.recipe.partition("::")
    functions = [
        node.name
        for node in ast.parse(Path(ROOT, path).read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert name in functions


def test_modules_that_are_mutated_are_there_and_so_are_their_tests() -> None:
    for target in TARGETS:
        for path in (target.path, *target.tests):
            assert (ROOT / path).is_file(), path


def test_goal_of_the_mutations_is_met_where_they_were_run() -> None:
    for result in read_results(EVIDENCE).values():
        explained = sum((result.path, name) in REASONS for name in result.survivors)
        assert 100 * (result.killed + explained) >= GOAL_PERCENT * result.mutants, result.path


def test_figures_go_to_the_promises_that_they_speak_for(tmp_path: Path) -> None:
    figures: dict[str, Figure] = {
        "cycles": 1000,
        "unit": "kills",
        "lost": 0,
        "wrong": 2,
        "attempted": 12345,
        "slowest_start_s": 3.1,
    }
    machine: dict[str, Figure] = {"cores": 2}
    for form, outcome in (("long", "failed"), ("short", "passed")):
        line = Line(
            "tests/a/test_b.py::t", form, outcome, "2026-01-31", 61.2, ("P2",), figures, machine
        )
        write(tmp_path, line)
    keep_result(tmp_path, Result("a.py", 10, 9, ["f: a -> b"], "2026-01-31", 1.0))
    text = render(tmp_path)
    assert ROW in text.partition("### P2")[2].partition("### P3")[0]
    assert text.count("1,000 kills") == 2
    assert DETAILS in text.partition("## Runs")[2]
    assert OVERVIEW in text.partition("## Promises")[0]
    assert "| `a.py` | 10 | 9 | 90 % |" in text
    assert "not looked at" in text
    assert "- cores 2\n" in text


def test_bars_do_not_end_a_cell() -> None:
    assert list(table(["a"], [["x | y"]]))[2] == "| x \\| y |"
