"""What there is in a run: topics, and groups that read them."""

from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple

from tests.support.simulation.history import Reader

_LIMIT_CHANCE: Final = 0.15


class TopicPlan(NamedTuple):
    """A topic. ``retention``: its settings of that, if any; ``limits``: those of its length."""

    name: str
    partitions: int
    retention: Mapping[str, int] = MappingProxyType({})
    on_first_use: bool = False
    limits: Mapping[str, int | str] = MappingProxyType({})

    @property
    def keeps_all(self) -> bool:
        """Nothing is ever removed."""
        return not self.retention and self.limits.get("overflow") != "drop_oldest"


class GroupPlan(NamedTuple):
    """A group of a topic; "" stands for readers without a group."""

    topic: str
    group: str = ""
    members: int = 1
    seeks: bool = False
    hold: bool = False

    def reader(self, name: str, now_s: float) -> Reader:
        """A stream that is opened now."""
        return Reader(name, self.topic, self.group, True, now_s, hold=self.hold)


class QueuePlan(NamedTuple):
    """A queue group of a topic. ``is_attended``: an operator looks after its dead records, and if
    it ``is_sought`` sets it elsewhere at times."""

    topic: str
    group: str
    workers: int
    lease_s: float
    retry_s: float
    key_lanes: bool
    max_attempts: int = 0
    is_attended: bool = False
    is_sought: bool = False


def draw_topics(random: Random, *, large: bool) -> list[TopicPlan]:
    """One to three topics, and sometimes one that is made by its first use."""
    topics = [
        TopicPlan(
            f"topic-{number}",
            random.randrange(1, 5) if large else random.choice((1, 1, 2, 3)),
            _draw_retention(random, large=large),
        )
        for number in range(random.randrange(1, 4) if large else random.choice((1, 1, 2)))
    ]
    if random.random() < (0.5 if large else 0.2):
        topics.append(TopicPlan("topic-auto", 1, on_first_use=True))
    return topics


def _draw_retention(random: Random, *, large: bool) -> dict[str, int]:
    if random.random() < 2 / 3:
        return {}
    if random.random() < 0.5:
        return {"retention_age_s": random.choice((1, 4))}
    return {"retention_bytes": 10_000 if large else 4_000}


def draw_limits(random: Random, topics: list[TopicPlan]) -> list[TopicPlan]:
    """The topics, some of them with a limit of their length."""
    return [
        topic._replace(limits=_draw_limits(random))
        if random.random() < _LIMIT_CHANCE and not topic.on_first_use
        else topic
        for topic in topics
    ]


def _draw_limits(random: Random) -> dict[str, int | str]:
    overflow = random.choice(("refuse", "drop_oldest"))
    if random.random() < 0.3:
        return {"max_bytes": random.randrange(1000, 10_000), "overflow": overflow}
    return {"max_records": random.randrange(3, 60), "overflow": overflow}


def draw_groups(random: Random, topics: list[TopicPlan], *, large: bool) -> list[GroupPlan]:
    """One to three groups."""
    return [
        GroupPlan(
            random.choice(topics).name,
            f"group-{number}",
            members=random.randrange(1, 4) if large else random.choice((1, 1, 2)),
            seeks=random.random() < 0.3,
            hold=random.random() < 0.5,
        )
        for number in range(random.randrange(1, 4) if large else random.choice((1, 1, 2)))
    ]


def draw_queues(random: Random, topics: list[TopicPlan], *, large: bool) -> list[QueuePlan]:
    """One or two queue groups."""
    return [
        QueuePlan(
            random.choice(topics).name,
            f"queue-{number}",
            workers=random.randrange(1, 4) if large else random.choice((1, 1, 2)),
            lease_s=random.choice((0.5, 3.0, 30.0)),
            retry_s=random.choice((0.0, 0.01, 1.0)),
            key_lanes=random.random() < 0.3,
        )
        for number in range(random.randrange(1, 3) if large else 1)
    ]


def draw_attempts(random: Random, queues: list[QueuePlan]) -> list[QueuePlan]:
    """The queue groups, some of which do not let a record fail as often as it likes."""
    return [
        queue._replace(max_attempts=random.randrange(2, 6)) if random.random() < 0.5 else queue
        for queue in queues
    ]


def draw_operators(random: Random, queues: list[QueuePlan]) -> list[QueuePlan]:
    """The queue groups, with an operator or not."""
    return [
        queue._replace(is_attended=random.random() < 0.7, is_sought=random.random() < 0.3)
        for queue in queues
    ]
