"""What the broker answers when a record is scheduled."""

from datetime import datetime
from typing import NamedTuple


class ScheduleReceipt(NamedTuple):
    """A record is on the broker's disk, and comes into its topic when it is due."""

    topic: str
    partition: int
    """Number of the partition, from 0."""
    schedule_id: int
    """Under which it is found, and can be cancelled."""
    due: datetime | None
    """When it comes, in UTC; None for a retry of one that has come already, or was cancelled."""
    duplicate: bool
    """This was a retry of what had been scheduled; ``schedule_id`` is the original's."""
    replaced: bool
    """It took the place of another one with the same schedule key."""
