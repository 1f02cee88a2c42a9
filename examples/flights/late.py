"""The flights that passengers are owed something for: each becomes work for one of some workers."""

from collections.abc import Sequence

from dataset import Columns

TOPIC = "late-flights"
GROUP = "compensation"
LATE_MIN = 60
FAILING = 25
"""The first attempt at every 25th row fails, as when a bank does not answer."""
AT_A_TIME = 10
"""So many messages does a worker handle at once: no more attempts end with it when it is killed."""


def is_late(delay_min: int | None) -> bool:
    """Whether an arrival so many minutes behind schedule counts."""
    return delay_min is not None and delay_min > LATE_MIN


def late_rows(rows: Sequence[str], columns: Columns) -> frozenset[int]:
    """The numbers of the rows of late flights."""
    return frozenset(
        number for number, row in enumerate(rows) if is_late(columns.flight(row).arrival_delay_min)
    )


def fails(row: int, attempt: int) -> bool:
    """Whether this attempt is one that fails."""
    return attempt == 1 and row % FAILING == 0
