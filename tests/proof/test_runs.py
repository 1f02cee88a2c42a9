from tests.support.proof.evidence import Figure, Line
from tests.support.proof.runs import runs_of

MACHINE: dict[str, Figure] = {"cores": 2}


def line(test: str, day: str = "2026-01-31", outcome: str = "passed", **figures: Figure) -> Line:
    return Line(f"tests/a.py::{test}", "long", outcome, day, 10.0, ("P2",), figures, MACHINE)


def test_cases_of_a_test_are_one_row() -> None:
    (run,) = runs_of(
        [
            line("t[1]", cycles=3, unit="flips", lost=0, refused=2, seed=1, source="by hand"),
            line("t[2]", "2026-02-01", "failed", cycles=4, unit="flips", lost=1, refused=3, seed=1),
        ]
    )
    assert (run.test, run.cases, run.cycles, run.unit) == ("tests/a.py::t", 2, 7, "flips")
    assert (run.outcome, run.days, run.seconds) == ("1 failed", "2026-01-31 to 2026-02-01", 20.0)
    assert run.counted == {"lost": 1}
    assert run.others == {"refused": 5, "seed": 1}
    assert run.promises == {"P2"}


def test_cases_that_count_other_things_stay_apart() -> None:
    runs = list(runs_of([line("t[1]", cycles=1, unit="a"), line("t[2]", cycles=1, unit="b")]))
    assert [run.test for run in runs] == ["tests/a.py::t[1]", "tests/a.py::t[2]"]
