"""What the example prints at its end, and whether it went well."""

from typing import NamedTuple

from delays import Delays, DelayTable
from readers import CompletenessReader, DelayReader
from rich.console import Console
from rich.table import Table
from workers import Workers


class Outcome(NamedTuple):
    """Everything that the verdict is made of."""

    published: int
    delays: DelayReader
    completeness: CompletenessReader
    expected: DelayTable
    workers: Workers

    @property
    def tables_are_equal(self) -> bool:
        """Whether the figures that were read are those of the CSV, to the last minute."""
        return self.delays.table.by_carrier == self.expected.by_carrier

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing duplicated, nothing changed or out of order, equal figures."""
        found = self.completeness
        faults = found.lost, found.duplicated, found.changed, found.out_of_order
        gaps = found.positions.gaps + self.delays.positions.gaps
        return not any(faults) and not gaps and self.tables_are_equal and self.workers.is_good


def print_report(outcome: Outcome, names: dict[str, str]) -> None:
    """Print the table by carrier and the verdict on standard output."""
    console = Console(highlight=False)
    console.print(_table(outcome, names))
    found = outcome.completeness
    again = found.positions.delivered_again + outcome.delays.positions.delivered_again
    console.print(
        f"figures {'equal to' if outcome.tables_are_equal else 'DIFFERENT FROM'} those of the CSV\n"
        f"changed {found.changed:,} · out of order {found.out_of_order:,} · "
        f"delivered again and told by offset {again:,}"
    )
    done = outcome.workers
    console.print(
        f"late flights {len(done.expected):,} · settled {done.settled:,} · dead {done.dead:,} · "
        f"failed at first and tried again {len(done.failed):,} · "
        f"after a kill handled again {done.again:,}, tried again {done.cut_short:,}"
    )
    console.print(
        f"published {outcome.published:,} · read {found.positions.records:,} · "
        f"lost {found.lost:,} · duplicated {found.duplicated:,}",
        style="bold green" if outcome.is_good else "bold red",
    )


def _table(outcome: Outcome, names: dict[str, str]) -> Table:
    title = "Flights from New York City in 2013, mean delays in minutes"
    table = Table(title=title, box=None, pad_edge=False, collapse_padding=True)
    table.add_column("carrier", min_width=7)
    table.add_column("", no_wrap=True, max_width=22)
    for name in ("flights", "departed", "departure\ndelay", "arrival\ndelay"):
        table.add_column(name, justify="right", no_wrap=True, min_width=9)
    table.add_column("as in\nthe CSV", min_width=7)
    read, expected = outcome.delays.table.by_carrier, outcome.expected.by_carrier
    for carrier in sorted(read.keys() | expected.keys()):
        delays = read.get(carrier, Delays())
        equal = "yes" if delays == expected.get(carrier) else "NO"
        table.add_row(carrier, names.get(carrier, ""), *_figures(delays), equal)
    return table


def _figures(delays: Delays) -> tuple[str, str, str, str]:
    return (
        f"{delays.flights:,}",
        f"{delays.departures:,}",
        f"{delays.mean_departure_delay_min:.2f}",
        f"{delays.mean_arrival_delay_min:.2f}",
    )
