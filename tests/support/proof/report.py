"""Renders `docs/reliability.md` out of what test runs have measured, and of the tables."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.support.mutation.reasons import REASONS as SURVIVORS
from tests.support.mutation.results import read_results
from tests.support.mutation.targets import TARGETS
from tests.support.proof.bugs import BUGS
from tests.support.proof.controls import CONTROLS, REASONS
from tests.support.proof.evidence import Line, read_all
from tests.support.proof.promises import PROMISES
from tests.support.sources import ROOT

EVIDENCE: Final = ROOT / "docs" / "evidence"
DOCUMENT: Final = ROOT / "docs" / "reliability.md"
GOAL_PERCENT: Final = 85

_COLUMNS: Final = ("lost", "duplicated", "wrong")
_INPUTS: Final = "fuzz::"

_HEAD: Final = """\
# Reliability: what is promised, and what was measured

`make prove` writes this page. Its numbers come from the files in `docs/evidence`, which test runs
have written, and from nowhere else; `make prove ARGS=--only-render` writes it from what is there.
"""

_LIMITS: Final = """\
## What one node cannot promise

- **The loss of the disk.** There is one copy. A backup is a copy of the data directory of a broker
  that was stopped.
- **Repair of rot.** Damage is found, named and never served; what was there is gone.
- **Service while it restarts.** Nobody publishes or reads then; clients connect anew by themselves.
- **A disk that lies about syncs.** A receipt then says what the disk said.
- **Rot inside the last group of batches synced before a crash.** No later batch proves that they
  were on disk, so they look like a torn tail: they are cut, and kept aside. An idle log closes this
  window after 100 ms.
- **Exactly one delivery.** After a crash of a consumer, what it had not had confirmed comes again.
- **Secrecy.** There is no authentication and no encryption yet: P25 ends with the handshake.
"""


def render(directory: Path = EVIDENCE) -> str:
    """The whole page."""
    lines = read_all(directory)
    parts = (
        _HEAD,
        "## Promises\n\n" + "\n".join(_promises(lines)),
        "## Decoders\n\n" + "\n".join(_decoders(lines)),
        "## Mutations\n\n" + "\n".join(_mutations(directory)),
        "## Bugs found\n\n" + "\n".join(_bugs()),
        _LIMITS,
        "## Machines\n\n" + "\n".join(_machines(lines)),
    )
    return "\n".join(f"{part.rstrip()}\n" for part in parts)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A table; a cell's own bars and line ends do not end it."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        cells = (str(cell).replace("|", "\\|").replace("\n", " ") for cell in row)
        yield "| " + " | ".join(cells) + " |"
    yield ""


def _promises(lines: list[Line]) -> Iterator[str]:
    yield (
        "Below each promise: what its tests measured (*cycles*: how often what may go wrong was "
        "made to), and how it was broken on purpose, with the test that noticed.\n"
    )
    runs = [line for line in lines if not line.test.startswith(_INPUTS)]
    for name, text in PROMISES.items():
        yield f"### {name}\n\n{text}\n"
        rows = [_row(line) for line in runs if name in line.promises]
        if rows:
            yield from table(("test", "form", "cycles", *_COLUMNS, "also", "day", "result"), rows)
        else:
            yield "No run has filed figures; the tests are those that the controls name.\n"
        broken = [control for control in CONTROLS if control.promise == name]
        if broken:
            tests = ((one.broken, f"`{_short(one.test)}`") for one in broken)
            yield from table(("broken on purpose", "noticed by"), tests)
        else:
            yield f"Not broken on purpose: {REASONS[name]}\n"


def _short(test: str) -> str:
    return test.removeprefix("tests/")


def _row(line: Line) -> tuple[object, ...]:
    figures = dict(line.figures)
    cycles = f"{_number(figures.pop('cycles', ''))} {figures.pop('unit', '')}".strip()
    columns = [_number(figures.pop(name, "")) for name in _COLUMNS]
    also = ", ".join(f"{name.replace('_', ' ')} {_number(at)}" for name, at in figures.items())
    seconds = f"{line.day}, {line.seconds:,.0f} s"
    return (f"`{_short(line.test)}`", line.form, cycles, *columns, also, seconds, line.outcome)


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _decoders(lines: list[Line]) -> Iterator[str]:
    yield (
        "`make fuzz`: damaged examples and any bytes; a decoder takes them, or raises what it "
        "declares. *Undeclared*: it raised anything else.\n"
    )
    rows = [
        (
            line.test.removeprefix(_INPUTS),
            *(_number(line.figures.get(name, 0)) for name in ("cycles", "taken", "undeclared")),
            f"{line.seconds:,.0f}",
        )
        for line in lines
        if line.test.startswith(_INPUTS)
    ]
    yield from table(("decoder", "inputs", "taken", "undeclared", "seconds"), rows)


def _mutations(directory: Path) -> Iterator[str]:
    yield (
        "`make mutate` changes one sign, bound, condition, constant or step at a time and runs the "
        f"module's own fast tests. The goal is {GOAL_PERCENT} % noticed. An own runner, because of "
        "the two libraries that are kept up, mutmut (3.8) changes nothing outside of functions, "
        "where the recovery table is, and cosmic-ray (8.7) writes into the sources and starts an "
        "interpreter for each change.\n"
    )
    results = read_results(directory)
    rows = [
        (f"`{one.path}`", one.mutants, one.killed, f"{100 * one.killed / one.mutants:.0f} %")
        for one in results.values()
    ]
    yield from table(("module", "mutants", "noticed", "share"), rows)
    missing = [f"`{target.path}`" for target in TARGETS if target.path not in results]
    if missing:
        yield f"Not run yet: {', '.join(missing)}.\n"
    yield "Those that survive, and why:\n"
    survivors = (
        (f"`{Path(one.path).name}`", f"`{name}`", SURVIVORS.get((one.path, name), "not looked at"))
        for one in results.values()
        for name in one.survivors
    )
    yield from table(("module", "change", "reason"), survivors)


def _bugs() -> Iterator[str]:
    rows = [(bug.what, bug.found_by, f"`{_short(bug.recipe)}`") for bug in BUGS]
    yield from table(("bug", "found by", "shown by"), rows)


def _machines(lines: list[Line]) -> Iterator[str]:
    kinds = {
        ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in line.machine.items())
        for line in lines
    }
    yield "\n".join(f"- {kind}" for kind in sorted(kinds)) or "No run has filed figures."
