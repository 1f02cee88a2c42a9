"""Answers to commands."""

from collections.abc import Mapping
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


Result = Done | TopicInfo | NamesPage | PublishResult | ProducerIdentity | GroupInfo
