"""What happened in many seeds together, and what ought to have happened."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tapemq_broker.storage.decision import Row
from tests.support.proof.evidence import Figure
from tests.support.simulation.simulation import Run

CRASHES_MIN: Final = 2
OPERATIONS_MIN: Final = 200

FAULTS: Final = {
    # The process and its clocks
    "kill": "the broker's process is killed",
    "cut_power": "its machine loses power",
    "die_in_a_call": "its process ends inside a call of the disk",
    "die_while_starting": "and the next one ends in its recovery",
    "fail_a_sync": "a sync fails, and it ends itself",
    "stop": "it is stopped cleanly",
    "pause_process": "it or an application stands still for a while",
    "jump_clock": "its wall clock jumps",
    # The disk
    "lost_writes": "a power cut takes all unsynced writes of a file",
    "torn": "a power cut takes a part of the unsynced writes of a file",
    "lost_names": "a power cut takes names of files that were not synced",
    "eio": "a call fails",
    "forgotten": "a sync that failed leaves bytes that later syncs pass over",
    "evicted": "and they vanish from the page cache",
    "fill_disk": "the disk is full for a while",
    "enospc": "a call fails because it is",
    "crowd_disk": "so little is left that publishing is blocked",
    "slow_disk": "syncs take long for a while",
    "stall": "a sync takes up to seconds",
    "flip": "a read returns a wrong bit",
    "flip_at_rest": "a bit of a file turns over",
    "misdirect": "a write goes to a wrong place",
    "zero_sector": "a write that was reported as done never came",
    "lose_file": "a file is gone",
    "lose_log": "all files of a log are gone",
    "shorten": "the end of a file is gone",
    "from_the_future": "a batch is of a later format",
    "become_unreadable": "reads of a file fail",
    # The network
    "delay_connection": "what is sent on a connection arrives seconds later",
    "reorder": "news of several connections and disks comes in another order",
    "cut_connection": "a connection breaks, and its ends learn of it at different times",
    "silence_connection": "a connection is half-open: one end at least is never told",
    "retry_duplicate": "a client sends again what the broker has already",
}
"""Every kind of fault, as the counts name it."""

_LARGEST: Final = ("p99_ms", "handed_out_max")


@dataclass
class Totals:
    """Sums over runs; of what cannot be added up, the largest."""

    seeds: int = 0
    operations: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    complaints: dict[int, str] = field(default_factory=dict)
    """What is wrong, by seed."""

    def add(self, run: Run) -> None:
        """One more run."""
        complaint = run.complaint or too_little(run)
        wrong = {run.seed: complaint} if complaint else {}
        operations = run.history.operations()
        self.merge(
            Totals(1, operations, run.faults, run.rows, run.errors, Counter(run.counts), wrong)
        )

    def merge(self, other: "Totals") -> None:
        """The runs of another process."""
        self.seeds += other.seeds
        self.operations += other.operations
        largest = {name: max(self.counts[name], other.counts[name]) for name in _LARGEST}
        for mine, theirs in (
            (self.faults, other.faults),
            (self.rows, other.rows),
            (self.errors, other.errors),
            (self.counts, other.counts),
        ):
            mine.update(theirs)
        for name, count in largest.items():
            self.counts[name] = count
        self.complaints |= other.complaints

    def lines(self) -> list[str]:
        """In a few lines, how much went wrong."""
        faults = [f"{name} {count}" for name, count in sorted(self.faults.items())]
        rows = [f"{name} {count}" for name, count in sorted(self.rows.items())]
        return [
            f"simulation: {self.seeds} seeds, {self.operations} operations",
            f"  faults: {', '.join(faults)}",
            f"  recovery: {', '.join(rows)}",
        ]

    def figures(self) -> dict[str, Figure]:
        """The same for the report of the promises."""
        wrong = list(self.complaints.values())
        lost, duplicated = (
            sum(text.startswith(rule) for text in wrong) for rule in ("lost", "duplicate")
        )
        return {
            "cycles": self.seeds,
            "unit": "seeds",
            "attempted": self.operations,
            "lost": lost,
            "duplicated": duplicated,
            "wrong": len(wrong) - lost - duplicated,
            "faults": self.faults.total(),
            "kinds_of_faults": f"{sum(self.faults[name] > 0 for name in FAULTS)} of {len(FAULTS)}",
            "recoveries": self.rows.total(),
            "rows_of_the_table": f"{sum(self.rows[row.name] > 0 for row in Row)} of {len(Row)}",
        }

    def never(self) -> list[str]:
        """The kinds of faults and the rows of the recovery table that did not occur."""
        rows = [row.name for row in Row if not self.rows[row.name]]
        return [name for name in FAULTS if not self.faults[name]] + rows


def too_little(run: Run) -> str:
    """Why a run proves little; empty if it does not."""
    if run.crashes < CRASHES_MIN:
        return f"the broker crashed {run.crashes} times, not {CRASHES_MIN}"
    if run.history.operations() < OPERATIONS_MIN:
        return f"there were {run.history.operations()} operations, not {OPERATIONS_MIN}"
    return ""
