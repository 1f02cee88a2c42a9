from pathlib import Path

import pytest

from tests.support.proof.evidence import Evidence, Line, evidence_directory, read_all, write

pytest_plugins = ["pytester"]

FIXTURE = "from tests.conftest import evidence, pytest_runtest_makereport"
INNER = """
def test_good(evidence):
    evidence.note("P1", "P2", kills=100, lost=0)
    evidence.note("P1", kills=101)

def test_bad(evidence):
    evidence.note("P3", lost=1)
    assert False

def test_silent(evidence):
    pass
"""


def made(test: str, form: str, **figures: int) -> Line:
    return Line(test, form, "passed", "2026-01-31", 1.0, ("P1",), dict(figures), {"cores": 2})


def test_figures_of_a_run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_EVIDENCE", str(pytester.path / "evidence"))
    monkeypatch.delenv("TEST_LONG", raising=False)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makeconftest(FIXTURE)
    pytester.makepyfile(test_inner=INNER)
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=2, failed=1)
    bad, good = read_all(pytester.path / "evidence")
    assert (bad.test, bad.outcome) == ("test_inner.py::test_bad", "failed")
    assert (bad.promises, bad.figures) == (("P3",), {"lost": 1})
    assert (good.test, good.outcome) == ("test_inner.py::test_good", "passed")
    assert (good.promises, good.figures) == (("P1", "P2"), {"kills": 101, "lost": 0})
    assert good.form == "short"
    assert good.machine["cores"]


def test_later_line_replaces_its_elder(tmp_path: Path) -> None:
    older, newer = made("a/test_b.py::c", "long", kills=1), made("a/test_b.py::c", "long", kills=2)
    other_form, other_test = made("a/test_b.py::c", "short"), made("a/test_d.py::c", "long")
    for line in (older, other_form, other_test, newer):
        write(tmp_path, line)
    assert read_all(tmp_path) == [newer, other_form, other_test]
    assert {path.name for path in tmp_path.iterdir()} == {"a.test_b.jsonl", "a.test_d.jsonl"}


def test_long_form_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_LONG", "1")
    assert Evidence().line("a", "passed", tmp_path).form == "long"


def test_nothing_is_written_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_EVIDENCE", raising=False)
    assert evidence_directory() is None
