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
from tests.support.proof.runs import COUNTED, Run, runs_of
from tests.support.sources import ROOT

EVIDENCE: Final = ROOT / "docs" / "evidence"
DOCUMENT: Final = ROOT / "docs" / "reliability.md"
GOAL_PERCENT: Final = 85

_UNITS: Final = {"s": "s", "ms": "ms", "mib": "MiB", "kib": "KiB"}
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
    inputs = [line for line in lines if line.test.startswith(_INPUTS)]
    runs = list(runs_of(line for line in lines if line not in inputs))
    parts = (
        _HEAD,
        "## Overview\n\n" + "\n".join(_overview(runs)),
        "## Promises\n\n" + "\n".join(_promises(runs, inputs)),
        "## Decoders\n\n" + "\n".join(_decoders(inputs)),
        "## Mutations\n\n" + "\n".join(_mutations(directory)),
        "## Bugs found\n\n" + "\n".join(_bugs()),
        _LIMITS,
        "## Runs\n\n" + "\n".join(_runs(runs)),
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


def _overview(runs: list[Run]) -> Iterator[str]:
    yield (
        "How often what may go wrong was made to (*cycles*), in all runs that are filed, and what "
        "was found then. The last column says in how many ways the promise was broken on "
        "purpose, each of them noticed by a test.\n"
    )
    yield from table(
        ("promise", "tests", "cycles", *COUNTED, "broken"),
        (_summary(name, [run for run in runs if name in run.promises]) for name in PROMISES),
    )


def _summary(name: str, runs: list[Run]) -> tuple[object, ...]:
    broken = sum(control.promise == name for control in CONTROLS)
    cycles = _number(sum(run.cycles for run in runs)) if runs else ""
    counted = [
        sum(run.counted[column] for run in runs if column in run.counted)
        if any(column in run.counted for run in runs)
        else ""
        for column in COUNTED
    ]
    failed = sum(run.outcome != "passed" for run in runs)
    tests = str(len({run.test for run in runs}) or "") + (f", {failed} failed" if failed else "")
    title = PROMISES[name].partition(":")[0]
    return (f"{name} {title}", tests, cycles, *map(_number, counted), broken or "")


def _promises(runs: list[Run], inputs: list[Line]) -> Iterator[str]:
    yield (
        "Below each promise: what its tests found (*cycles*: how often what may go wrong was made "
        "to; *attempted*: records, or what else, that were looked for afterwards), and how it was "
        "broken on purpose, with the test that noticed. Where a cell is empty, the test does not "
        "count that, but fails at the first. The *short* form is part of every test run, the "
        "*long* one takes hours in all.\n"
    )
    for name, text in PROMISES.items():
        yield f"### {name}\n\n{text}\n"
        yield from _found(name, [run for run in runs if name in run.promises])
        fuzzed = [line for line in inputs if name in line.promises]
        if fuzzed:
            yield f"And {_sum(fuzzed, 'cycles'):,} inputs to [decoders](#decoders).\n"
        broken = [control for control in CONTROLS if control.promise == name]
        if broken:
            tests = ((one.broken, f"`{_short(one.test)}`") for one in broken)
            yield from table(("broken on purpose", "noticed by"), tests)


def _found(name: str, runs: list[Run]) -> Iterator[str]:
    if runs:
        head = ("test", "form", "cycles", *COUNTED, "result")
        yield from table(head, map(_row, runs))
    elif name in REASONS:
        yield f"{REASONS[name]}\n"
    else:
        yield "No run has filed figures; the tests are those that the controls name.\n"


def _short(test: str) -> str:
    return test.removeprefix("tests/")


def _row(run: Run) -> tuple[object, ...]:
    counted = [_number(run.counted.get(name, "")) for name in COUNTED]
    return (_name(run), run.form, f"{run.cycles:,} {run.unit}".strip(), *counted, run.outcome)


def _name(run: Run) -> str:
    cases = f" ({run.cases} cases)" if run.cases > 1 else ""
    return f"`{_short(run.test)}`{cases}"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _runs(runs: list[Run]) -> Iterator[str]:
    yield "When the figures above were filed, how long that took, and what else was noted.\n"
    rows = (
        (
            _name(run),
            run.form,
            run.unit,
            run.days,
            f"{run.seconds:,.0f} s",
            ", ".join(_figure(name, value) for name, value in run.others.items()),
        )
        for run in runs
    )
    yield from table(("test", "form", "cycles are", "day", "took", "also"), rows)


def _figure(name: str, value: object) -> str:
    """`slowest_start_s` as "slowest start 3.1 s"."""
    *words, last = name.split("_")
    unit = _UNITS.get(last, "")
    title = " ".join(words if unit else [*words, last])
    return f"{title} {_number(value)} {unit}".strip()


def _decoders(lines: list[Line]) -> Iterator[str]:
    inputs: dict[str, list[Line]] = {}
    for line in lines:
        inputs.setdefault(_decoder(line), []).append(line)
    total = sum(_sum(some, "cycles") for some in inputs.values())
    yield (
        f"`make fuzz`: damaged examples and any bytes, {total:,} in all; a decoder takes them, or "
        "raises what it declares. *Undeclared*: it raised anything else.\n"
    )
    rows = [
        (
            name if len(some) == 1 else f"{name} ({len(some)} of them)",
            *(_number(_sum(some, column)) for column in ("cycles", "taken", "undeclared")),
            f"{sum(_cpu_s(line) for line in some):,.0f}",
        )
        for name, some in inputs.items()
    ]
    yield from table(("decoder", "inputs", "taken", "undeclared", "seconds"), rows)


def _cpu_s(line: Line) -> float:
    """Older figures were taken while nothing else ran: what passed is what was used."""
    return float(line.figures.get("cpu_s", line.seconds))


def _decoder(line: Line) -> str:
    """Its name; the messages of the protocol are one kind."""
    name = line.test.removeprefix(_INPUTS)
    return "header of a message" if name.startswith("message ") else name


def _sum(lines: list[Line], column: str) -> int:
    return sum(int(line.figures.get(column, 0)) for line in lines)


def _mutations(directory: Path) -> Iterator[str]:
    yield (
        "`make mutate` changes one sign, bound, condition, constant or step at a time and runs the "
        f"module's own fast tests. The goal is {GOAL_PERCENT} % noticed. An own runner, because of "
        "the two libraries that are kept up, mutmut (3.8) changes nothing outside of functions, "
        "where the recovery table is, and cosmic-ray (8.7) writes into the sources and starts an "
        "interpreter for each change.\n"
    )
    results = read_results(directory)
    killed = sum(one.killed for one in results.values())
    if count := sum(one.mutants for one in results.values()):
        yield f"Of {count:,} changes, {killed:,} were noticed: {100 * killed / count:.0f} %.\n"
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
