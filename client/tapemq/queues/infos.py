"""What the admin calls about queues return."""

from datetime import datetime
from typing import NamedTuple

from tapemq.wire.fields import Settings


class QueuePartition(NamedTuple):
    """Where a queue group is in one partition. Totals count from the broker's start."""

    partition: int
    ack_floor: int
    """All records below it are settled."""
    cursor: int
    """No record from it on was ever handed out."""
    visible_offset: int
    """The end of what may be handed out."""
    ready: int
    """Records that can be handed out now."""
    leased: int
    retrying: int
    """Records that wait for their retry."""
    dead: int
    settled_above_floor: int
    credit: int
    """Records that the group's consumers may still be leased."""
    oldest_unsettled: datetime | None
    """When the first record that is not settled was appended, in UTC; None if there is none."""
    redelivered: int
    acked: int
    failed: int
    crashed: int
    expired: int
    gone: int
    """Records that retention removed before they were settled."""


class QueueInfo(NamedTuple):
    """A queue group of a topic."""

    topic: str
    group: str
    settings: Settings
    """By the protocol's names (``lease_ms``)."""
    consumers: int
    partitions: tuple[QueuePartition, ...]

    @property
    def ready(self) -> int:
        """Records that can be handed out now, in all partitions."""
        return sum(partition.ready for partition in self.partitions)

    @property
    def leased(self) -> int:
        """Records that consumers hold, in all partitions."""
        return sum(partition.leased for partition in self.partitions)

    @property
    def retrying(self) -> int:
        """Records that wait for their retry, in all partitions."""
        return sum(partition.retrying for partition in self.partitions)

    @property
    def dead(self) -> int:
        """Dead records, in all partitions."""
        return sum(partition.dead for partition in self.partitions)


class Explanation(NamedTuple):
    """What a queue group is doing.

    ``state``: "delivering", "caught_up", "no_consumers", "no_credit", "paused", "retrying",
    "blocked_by_key", "dead_full", "retry_full", "look_ahead_full" or "damaged".
    """

    state: str
    sentences: list[str]
    """The same for people, with numbers."""


class DeadRecord(NamedTuple):
    """A record that the group does not deliver any more. It still is in its topic."""

    partition: int
    offset: int
    reason: str
    """What its last nack or its reject gave (with process(): the exception's name), or "failed",
    "rejected", "crashed", "too_old", "expired"."""
    error: str
    """What the last handler failed with; one that crashed says nothing, so the one before it."""
    failures: int
    crashes: int
    replays: int
    """How often it was redriven before."""
    died_at: datetime | None
    first_failed_at: datetime | None = None
    """When it failed or crashed first since it was redriven; None if it never did (a reject is no
    failure). Times are the broker's, in UTC."""
    last_failed_at: datetime | None = None
    """When it did last; also None if an older broker wrote it."""
