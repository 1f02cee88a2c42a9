"""What the admin calls return."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

Setting = int | str | bool
"""A topic's setting."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PartitionInfo(NamedTuple):
    """Offsets and size of a partition."""

    topic: str
    partition: int
    first_offset: int
    """The first record that retention and length limits have left."""
    visible_offset: int
    """Everything below may be read."""
    durable_offset: int
    """Everything below is on disk."""
    next_offset: int
    """The first offset that is not assigned."""
    size_bytes: int
    log_epoch: int
    """Raised each time a tail that was never confirmed was cut off."""
    last_append_time: datetime | None
    """When the last record was appended, in UTC; None if there was none."""
    time_offset: int | None
    """The first offset appended at the time asked for, or later."""
    dropped: int = 0
    """Records that went since the broker's start because of ``max_records`` or ``max_bytes``."""


class TopicInfo(NamedTuple):
    """A topic and its settings."""

    name: str
    topic_id: int
    """Never used again, not even for a topic of the same name."""
    partitions: int
    """All of them: with priorities, those of each level together."""
    version: int
    """Rises with each change."""
    settings: dict[str, Setting]

    @property
    def priorities(self) -> int:
        """How many levels of priority there are, which are partitions of their own; 1: none.

        Partition ``p * priorities + level`` has the records of a level.
        """
        return int(self.settings.get("priorities", 1))


class GroupPartition(NamedTuple):
    """Where a group is in one partition."""

    partition: int
    cursor: int
    """The next offset to deliver."""
    lag: int
    """How many records can be read from there on."""
    generation: int
    member: str
    """Who reads it now; "" if nobody does."""
    commit_time: datetime | None
    """When the group last committed here, in UTC."""


class GroupInfo(NamedTuple):
    """A group of a topic."""

    topic: str
    name: str
    kind: str
    """"stream" or "queue"."""
    hold: bool
    """Whether retention keeps what the group has not read."""
    members: int
    partitions: tuple[GroupPartition, ...]

    @property
    def lag(self) -> int:
        """How many records the group has still to read, in all partitions."""
        return sum(partition.lag for partition in self.partitions)


class BrokerInfo(NamedTuple):
    """How the broker is; the counts are since its start."""

    software: str
    uptime: timedelta
    topics: int
    connections: int
    records_published: int
    records_delivered: int
    disk_free_bytes: int
    blocked: str
    """Why it takes no publishes now; "" if it does."""
    disk_free_min_bytes: int
    """Below so many free bytes it takes none."""


def time_of(time_us: int) -> datetime | None:
    """A time of the protocol, where 0 is none."""
    return _EPOCH + timedelta(microseconds=time_us) if time_us else None
