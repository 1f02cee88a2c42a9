"""Answers to commands."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

TopicSettings = Mapping[str, int | str | bool]


class Done(NamedTuple):
    """It is done."""


class TopicInfo(NamedTuple):
    """A topic as clients see it. ``version`` rises with each change."""

    name: str
    topic_id: int
    partitions: int
    version: int
    settings: TopicSettings


class NamesPage(NamedTuple):
    """Some names in order; ``more`` follow."""

    names: list[str]
    more: bool


class PublishResult(NamedTuple):
    """Where a batch went. ``durable`` is what was reached when the answer leaves."""

    base_offset: int
    durable: bool
    duplicate: bool
    append_time_us: int


class ScheduleResult(NamedTuple):
    """What became of schedules. ``due_us`` 0: a retry of what is pending no more.

    They have ids from ``schedule_id`` on; each is due at ``due_us`` or so much later as was said.
    """

    schedule_id: int
    due_us: int
    duplicate: bool
    replaced: bool


class ProducerIdentity(NamedTuple):
    """Under what a producer numbers its batches."""

    producer_id: int
    epoch: int


class GroupInfo(NamedTuple):
    """A group on one partition. ``commit_time_us`` 0: nothing was committed yet."""

    kind: str
    cursor: int
    lag: int
    hold: bool
    generation: int
    members: int
    member: str
    commit_time_us: int


class Settled(NamedTuple):
    """What was asked for is done, but for the ``lost``: (lease id, first offset, count)."""

    lost: Sequence[tuple[int, int, int]]


class QueueInfo(NamedTuple):
    """A queue group on one partition. Counts of records as of now, and totals since the start.

    Everything below ``ack_floor`` is settled, but for dead records that live again. ``retrying``:
    they wait for their time, or for the disk.
    """

    partition: int
    ack_floor: int
    cursor: int
    visible: int
    ready: int
    leased: int
    retrying: int
    dead: int
    settled_above_floor: int
    consumers: int
    credit_records: int
    settings: TopicSettings
    redelivered: int
    acked: int
    failed: int
    crashed: int
    expired: int
    gone: int


class Explanation(NamedTuple):
    """What a queue group is doing: a word for programs, sentences for people."""

    state: str
    sentences: list[str]


class DeadPage(NamedTuple):
    """Dead records in order, each as a map of their fields; ``more`` from ``next_offset`` on."""

    records: list[dict[str, int | str]]
    next_offset: int
    more: bool


class Affected(NamedTuple):
    """So many records were meant."""

    records: int


Result = (
    Done
    | TopicInfo
    | NamesPage
    | PublishResult
    | ScheduleResult
    | ProducerIdentity
    | GroupInfo
    | Settled
    | QueueInfo
    | Explanation
    | DeadPage
    | Affected
)
