"""What the filed runs of a test come to: its cases together, in one row."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final, NamedTuple

from tests.support.proof.evidence import Figure, Line

COUNTED: Final = ("attempted", "lost", "duplicated", "wrong")
"""Figures with a meaning of their own; they and the cycles are added up."""


class Run(NamedTuple):
    """A test in one form. ``cases``: how many parameters it ran with, each a line of its own."""

    test: str
    form: str
    unit: str
    cycles: int
    cases: int
    outcome: str
    days: str
    seconds: float
    promises: frozenset[str]
    counted: dict[str, int]
    others: dict[str, Figure]


def runs_of(lines: Iterable[Line]) -> Iterator[Run]:
    """All runs, in the order of their tests' names."""
    for key, some in groupby(sorted(lines, key=_key), key=_key):
        yield _run(*key, list(some))


def _key(line: Line) -> tuple[str, str, str]:
    return line.test.partition("[")[0], line.form, str(line.figures.get("unit", ""))


def _run(test: str, form: str, unit: str, lines: list[Line]) -> Run:
    figures = [line.figures for line in lines]
    if len(lines) == 1:
        test = lines[0].test
    days = sorted({line.day for line in lines})
    failed = [line for line in lines if line.outcome != "passed"]
    return Run(
        test=test,
        form=form,
        unit=unit,
        cycles=sum(_count(one, "cycles") for one in figures),
        cases=len(lines),
        outcome=f"{len(failed)} failed" if failed else "passed",
        days=days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}",
        seconds=sum(line.seconds for line in lines),
        promises=frozenset(name for line in lines for name in line.promises),
        counted={
            name: sum(_count(one, name) for one in figures)
            for name in COUNTED
            if any(name in one for one in figures)
        },
        others=_others(figures),
    )


def _count(figures: dict[str, Figure], name: str) -> int:
    return int(figures.get(name, 0))


def _others(figures: list[dict[str, Figure]]) -> dict[str, Figure]:
    """Of several cases: what all of them agree on, and sums of what each has counted."""
    names = dict.fromkeys(name for one in figures for name in one)
    found: dict[str, Figure] = {}
    for name in names:
        values = [one[name] for one in figures if name in one]
        if name in ("cycles", "unit", *COUNTED):
            continue
        if len(set(values)) == 1 and len(values) == len(figures):
            found[name] = values[0]
        elif all(type(value) is int for value in values):
            found[name] = sum(value for value in values if isinstance(value, int))
    return found
