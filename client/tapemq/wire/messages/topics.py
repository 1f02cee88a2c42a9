"""Topics, their partitions, and the broker itself."""

from typing import NamedTuple

from tapemq.wire.fields import Settings


class CreateTopic(NamedTuple):
    """Create a topic. Answered by Topic."""

    topic: str
    partitions: int = 1
    settings: Settings = {}  # noqa: RUF012
    deadline_ms: int = 0


class DescribeTopic(NamedTuple):
    """Look a topic up; ``create`` makes it if it is missing and the broker allows it."""

    topic: str
    create: bool = False
    deadline_ms: int = 0


class Topic(NamedTuple):
    """A topic. ``version`` rises with each change; one address serves all partitions of a run.

    ``addresses[i]`` serves the partitions from ``first_partitions[i]`` on; "" is the broker that
    answers.
    """

    topic: str
    topic_id: int
    partitions: int
    version: int
    settings: Settings
    first_partitions: list[int] = [0]  # noqa: RUF012
    addresses: list[str] = [""]  # noqa: RUF012


class ListTopics(NamedTuple):
    """Names of topics in order, from the one behind ``after``, at most 64. Answered by Names."""

    after: str = ""
    deadline_ms: int = 0


class Names(NamedTuple):
    """A page of names. ``more``: ask again after the last one."""

    names: list[str]
    more: bool = False


class AlterTopic(NamedTuple):
    """Change settings, or raise the number of partitions (0: leave it). Answered by Topic."""

    topic: str
    partitions: int = 0
    settings: Settings = {}  # noqa: RUF012
    deadline_ms: int = 0


class DeleteTopic(NamedTuple):
    """Delete a topic with all its records. Answered by Done."""

    topic: str
    deadline_ms: int = 0


class DescribePartition(NamedTuple):
    """Offsets of a partition. ``time_us``: also the first offset appended then or later."""

    topic_id: int
    partition: int
    time_us: int = 0
    deadline_ms: int = 0


class Partition(NamedTuple):
    """A partition's offsets; ``time_offset`` answers ``time_us`` (visible_offset if none)."""

    first_offset: int
    visible_offset: int
    durable_offset: int
    next_offset: int
    log_epoch: int
    size_bytes: int
    last_append_time_us: int
    time_offset: int = 0
    dropped: int = 0


class BrokerStatus(NamedTuple):
    """Ask how the broker is. Answered by Status."""

    deadline_ms: int = 0


class Status(NamedTuple):
    """The broker's version and totals since its start."""

    software: str
    uptime_ms: int
    topics: int
    connections: int
    records_published: int
    records_delivered: int
    disk_free_bytes: int
    blocked: str = ""
    disk_free_min_bytes: int = 0
