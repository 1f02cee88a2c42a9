"""Run simulated seeds: ``python -m tests.support.simulation 0-19999``."""

import sys
import time
from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tapemq_broker.storage.decision import Row
from tests.support.proof.controls import SIMULATED
from tests.support.proof.evidence import Evidence, evidence_directory, write
from tests.support.simulation.campaign import failures, replay, run_all, seeds_of
from tests.support.simulation.totals import FAULTS, Totals

_SHOWN_MAX = 10
_TOLD_SEEDS = 500
"""After so many seeds a line is printed where there is no terminal for a bar."""


def main(text: str) -> int:
    """Run, and tell; 1 if anything is wrong."""
    console = Console()
    try:
        seeds = seeds_of(text)
    except ValueError as error:
        console.print(f"simulate: {error}; use SEEDS=7 or SEEDS=0-19999", markup=False)
        return 2
    evidence, began_s = Evidence(), time.monotonic()
    totals = _run(seeds)
    took_s = time.monotonic() - began_s
    told = {row.name: row.value for row in Row}
    console.print(
        _table("Fault", FAULTS, totals.faults),
        _table("Row of the recovery table", told, totals.rows),
        _table("What clients saw", {}, totals.counts),
        _table("Error that clients were told", {}, totals.errors),
    )
    evidence.note(*SIMULATED, **totals.figures(), seeds=text)
    evidence.note(seeds_per_s=round(totals.seeds / took_s, 1))
    _keep(evidence, totals, text)
    wrong = failures(totals)
    for complaint in wrong[:_SHOWN_MAX]:
        console.print(complaint, markup=False, highlight=False, soft_wrap=True)
    if len(wrong) > _SHOWN_MAX:
        seeds_left = " ".join(map(str, sorted(totals.complaints)[_SHOWN_MAX:]))
        console.print(f"and also: {seeds_left}", soft_wrap=True)
    console.print(
        f"{totals.seeds} seeds, {totals.operations} operations, {len(totals.complaints)} seeds "
        f"failed; {took_s:.0f} s, {totals.seeds / took_s:.1f} seeds/s"
    )
    return 1 if wrong else 0


def _keep(evidence: Evidence, totals: Totals, seeds: str) -> None:
    """For the report of the promises, if there is a place for it. Other seeds count beside it."""
    directory = evidence_directory()
    if directory is not None:
        outcome = "failed" if totals.complaints else "passed"
        line = evidence.line(f"tests/simulation::campaign[{seeds}]", outcome, directory)
        write(directory, line._replace(form="long"))


def _run(seeds: range) -> Totals:
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = failed = 0
    with Progress(*columns, TextColumn("{task.description}")) as progress:
        task = progress.add_task("", total=len(seeds))

        def tell(some: Totals) -> None:
            nonlocal done, failed
            before, done = done, done + some.seeds
            failed += len(some.complaints)
            for seed in some.complaints:
                progress.console.print(f"failed: {replay(seed)}", highlight=False)
            description = f"{failed} failed" if failed else ""
            progress.update(task, advance=some.seeds, description=description)
            if not progress.console.is_terminal and done // _TOLD_SEEDS > before // _TOLD_SEEDS:
                print(f"{done} of {len(seeds)} seeds, {failed} failed", flush=True)

        return run_all(seeds, tell=tell)


def _table(title: str, meanings: dict[str, str], counts: Counter[str]) -> Table:
    table = Table(title, "Times")
    table.columns[1].justify = "right"
    if meanings:
        table.add_column("What it is")
    for name in [*meanings, *sorted(counts.keys() - meanings.keys())]:
        row = [name, f"{counts[name]:,}"]
        table.add_row(*row, *([meanings.get(name, "")] if meanings else []))
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "0-999"))
