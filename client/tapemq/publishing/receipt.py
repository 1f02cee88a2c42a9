"""What the broker answers to a publish."""

from datetime import datetime
from typing import Final, Literal, NamedTuple

from tapemq.infos import time_of

Durability = Literal["durable", "written"]
"""When a receipt leaves: once the record is synced to disk, or once the operating system has it."""

LEVELS: Final[dict[Durability, int]] = {"durable": 0, "written": 1}
_DURABILITIES: Final[tuple[Durability, ...]] = ("durable", "written")


class Receipt(NamedTuple):
    """Where a record is in its topic's log."""

    topic: str
    partition: int
    """Number of the partition, from 0."""
    offset: int
    """The record's number in its partition, from 0."""
    duplicate: bool
    """This was a retry of what had been published; ``offset`` is the original's."""
    durability: Durability
    """What was reached when the receipt left."""
    append_time_us: int
    """When the broker appended it: microseconds since 1970-01-01 UTC; 0 for a duplicate, of which
    the broker does not remember it."""

    @property
    def timestamp(self) -> datetime | None:
        """When the broker appended it, in UTC; None for a duplicate."""
        return time_of(self.append_time_us)


def durability_of(level: int) -> Durability:
    """The durability that a level of the protocol stands for."""
    return _DURABILITIES[level]


def check_durability(durability: str) -> Durability:
    """``durability`` itself. Raises ValueError."""
    for known in _DURABILITIES:
        if durability == known:
            return known
    raise ValueError(f'durability is "durable" or "written", not {durability!r}')
