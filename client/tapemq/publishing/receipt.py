"""What the broker answers to a publish."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

Durability = Literal["durable", "written"]
"""When a receipt leaves: once the record is synced to disk, or once the operating system has it."""

LEVELS: Final[dict[Durability, int]] = {"durable": 0, "written": 1}
_DURABILITIES: Final[tuple[Durability, ...]] = ("durable", "written")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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
    """When the broker appended it: microseconds since 1970-01-01 UTC."""

    @property
    def timestamp(self) -> datetime:
        """When the broker appended it, in UTC."""
        return _EPOCH + timedelta(microseconds=self.append_time_us)


def durability_of(level: int) -> Durability:
    """The durability that a level of the protocol stands for."""
    return _DURABILITIES[level]


def check_durability(durability: str) -> Durability:
    """``durability`` itself. Raises ValueError."""
    for known in _DURABILITIES:
        if durability == known:
            return known
    raise ValueError(f'durability is "durable" or "written", not {durability!r}')
