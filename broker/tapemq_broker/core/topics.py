"""The catalog's topics: create, look up, change, delete."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import nsmallest
from typing import Final, NamedTuple

from tapemq.batch import LogId, Role
from tapemq_broker.core.counting import agreeing, counted
from tapemq_broker.core.effects import (
    Change,
    Effects,
    PrepareTopic,
    PutState,
    Reconfigure,
    RemoveTopic,
    Reply,
    ReplyWhenDurable,
    Request,
)
from tapemq_broker.core.group import StreamGroup
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import Done, NamesPage, TopicInfo, TopicSettings
from tapemq_broker.core.topic import (
    Topic,
    check_settings,
    decode_topic,
    encode_topic,
    levels_of,
)

CATALOG = LogId(0, 0, Role.CATALOG)
_TOPIC_KEY = b"topic/"
_GONE: Final = re.compile(rb"gone/([0-9a-f]{16})/([A-Za-z0-9._@-]+)")
_LEAVING: Final = re.compile(rb"leaving/([0-9a-f]{16})/([A-Za-z0-9._@-]+)")
PAGE_NAMES = 64
WAITING_MAX: Final = 16_384
"""Requests of all clients that wait for topics to be made: a disk that hangs makes none."""


class Topics:
    """All topics of a namespace, and those being created."""

    def __init__(self, topics_max: int, partitions_max: int, partitions_total_max: int) -> None:
        self._topics_max = topics_max
        self._partitions_max = partitions_max
        self._partitions_total_max = partitions_total_max
        self._partitions_total = 0
        self._preparing_partitions: dict[str, int] = {}
        self.by_id: dict[int, Topic] = {}
        self._by_name: dict[str, Topic] = {}
        self._preparing: dict[str, list[Request]] = {}
        self._waiting = 0  # the requests in there
        self.group_count = 0
        self.refused: dict[str, str] = {}
        """By name, why: topics that the catalog has, and of which it says nonsense."""

    def __len__(self) -> int:
        return len(self.by_id)

    def load(self, entries: Mapping[bytes, bytes]) -> list[Topic]:
        """Start with what the catalog holds; what makes no sense of it is ``refused``."""
        catalog = read_catalog(entries)
        self.refused.update(catalog.refused)
        for info in catalog.topics:
            self._add(info)
        self._partitions_total = sum(topic.info.partitions for topic in self.by_id.values())
        for found in filter(None, map(_LEAVING.fullmatch, entries)):
            if topic := self.by_id.get(int(found[1], 16)):
                topic.leaving.add(found[2].decode())
        return list(self.by_id.values())

    def get(self, topic_id: int) -> Topic:
        """Raises Refused (stale_metadata) if there is no such id (any more)."""
        try:
            return self.by_id[topic_id]
        except KeyError:
            raise Refused(
                "stale_metadata",
                f"no topic has the id {topic_id:#x}: it was deleted or created anew, "
                "describe it again",
            ) from None

    def named(self, name: str) -> Topic:
        """Raises Refused (unknown_topic)."""
        try:
            return self._by_name[name]
        except KeyError:
            self._check_not_refused(name)
            raise Refused("unknown_topic", f"there is no topic {name!r}") from None

    def describe(self, request: Request, name: str) -> Effects:
        """Look a topic up."""
        return [Reply(request, self.named(name).info)]

    def names(self, request: Request, after: str) -> Effects:
        """A page of names in order."""
        return [Reply(request, page_of(self._by_name, after))]

    def create(
        self,
        request: Request,
        name: str,
        partitions: int,
        settings: TopicSettings,
        *,
        topic_id: int,
        or_describe: bool = False,
    ) -> Effects:
        """Create a topic: its logs first, the catalog's entry once they are on disk.

        With priorities it has so many ``partitions`` of each level.
        ``or_describe``: a topic of that name is as good as a new one.
        """
        if name in self._by_name and or_describe:
            return self.describe(request, name)
        waiting = self._preparing.get(name)
        if waiting is not None and or_describe:
            if self._waiting >= WAITING_MAX:
                text = f"{self._waiting} requests wait for topics that are being made"
                raise Refused("overloaded", text, 1.0)
            waiting.append(request)
            self._waiting += 1
            return []
        if waiting is not None or name in self._by_name:
            raise Refused("topic_exists", f"there is a topic {name!r} already")
        self._check_not_refused(name)
        coming = sum(other not in self._by_name for other in self._preparing)
        if len(self.by_id) + coming >= self._topics_max:
            raise Refused("bad_request", f"this broker holds at most {self._topics_max} topics")
        check_settings(settings)
        partitions *= levels_of(settings)
        self._check_partitions(partitions)
        self._prepare(request, name, partitions)
        return [PrepareTopic(TopicInfo(name, topic_id, partitions, 1, dict(settings)), 0)]

    def prepared(self, info: TopicInfo) -> None:
        """The logs of PrepareTopic are there, and the entry() is written: now the topic exists.

        Its answers are answers().
        """
        self._partitions_total += self._preparing_partitions.pop(info.name, 0)
        if info.topic_id in self.by_id:
            self.by_id[info.topic_id].change(info)
        else:
            self._add(info)

    def answers(self, info: TopicInfo) -> Effects:
        """To those who wanted the topic so: the catalog's entry has to be on disk first."""
        waiting = self._take_waiting(info.name)
        return [ReplyWhenDurable(CATALOG, None, request, info) for request in waiting]

    def unprepared(self, info: TopicInfo, refused: Refused) -> Effects:
        """The logs of PrepareTopic could not be made."""
        self._preparing_partitions.pop(info.name, None)
        waiting = self._take_waiting(info.name)
        return [Reply(request, refused.refusal) for request in waiting]

    def overdue(self, now: float) -> list[Request]:
        """Requests whose topic was not made by their deadline. It is made all the same."""

        def is_late(request: Request) -> bool:
            return request.deadline is not None and request.deadline <= now

        late: list[Request] = []
        for name, waiting in self._preparing.items():
            if any(map(is_late, waiting)):
                late += filter(is_late, waiting)
                self._preparing[name] = [one for one in waiting if not is_late(one)]
        self._waiting -= len(late)
        return late

    def _take_waiting(self, name: str) -> list[Request]:
        waiting = self._preparing.pop(name, [])
        self._waiting -= len(waiting)
        return waiting

    def alter(
        self, request: Request, name: str, partitions: int, settings: TopicSettings
    ) -> Effects:
        """Change settings (those that are not named stay) or add partitions, of each level."""
        topic = self.named(name)
        if name in self._preparing:
            raise Refused("overloaded", f"topic {name!r} is being changed", 1.0)
        check_settings(settings)
        before = topic.info
        levels = topic.levels
        if settings.get("priorities", levels) != levels:
            raise Refused("bad_request", "priorities are chosen when a topic is made, and stay")
        wanted = partitions * levels or before.partitions
        if wanted < before.partitions:
            raise Refused(
                "bad_request",
                f"topic {name!r} has {counted(before.partitions // levels, 'partition')}; they "
                "only grow, because keys belong to partitions by their number",
            )
        self._check_partitions(wanted)
        after = before._replace(
            partitions=wanted,
            version=before.version + 1,
            settings={**before.settings, **settings},
        )
        if wanted > before.partitions:
            self._prepare(request, name, wanted - before.partitions)
            return [PrepareTopic(after, before.partitions)]

        def then() -> Effects:
            topic.change(after)
            return [Reconfigure(after), ReplyWhenDurable(CATALOG, None, request, after)]

        return [Change(request, [entry(after)], then)]

    def delete(
        self, request: Request, name: str, tell: Callable[[Topic], Effects] = lambda topic: []
    ) -> Effects:
        """Forget a topic durably, then remove its logs; ``tell`` whoever reads it."""
        topic = self.named(name)
        if name in self._preparing:
            raise Refused("overloaded", f"topic {name!r} is being changed", 1.0)

        def then() -> Effects:
            del self._by_name[name]
            del self.by_id[topic.info.topic_id]
            self.group_count -= len(topic.groups) + len(topic.queue_groups)
            self._partitions_total -= len(topic.partitions)
            done = ReplyWhenDurable(CATALOG, None, request, Done())
            return [*tell(topic), RemoveTopic(topic.info), done]

        topic_id = topic.info.topic_id
        changes: dict[bytes, bytes | None] = {_key(name): None, gone_key(name, topic_id): b""}
        changes |= {leaving_key(topic_id, group): None for group in topic.leaving}
        return [Change(request, [PutState(CATALOG, changes)], then)]

    def add_group(self, topic: Topic, name: str) -> StreamGroup:
        """A group of that name, still without positions; the one that there is, if there is."""
        group = topic.groups.get(name)
        if group is None:
            group = topic.groups[name] = StreamGroup(name)
            self.group_count += 1
        return group

    def remove_group(self, topic: Topic, name: str) -> None:
        """Forget a group."""
        del topic.groups[name]
        self.group_count -= 1

    def add_queue_group(self, topic: Topic, group: QueueGroup) -> None:
        """A new group."""
        topic.queue_groups[group.name] = group
        self.group_count += 1

    def remove_queue_group(self, topic: Topic, name: str) -> None:
        """Forget a group."""
        del topic.queue_groups[name]
        self.group_count -= 1

    def _check_not_refused(self, name: str) -> None:
        if name in self.refused:
            raise Refused(
                "storage_failed", f"topic {name!r} is refused: the catalog, {self.refused[name]}"
            )

    def _add(self, info: TopicInfo) -> None:
        topic = Topic(info)
        self.by_id[info.topic_id] = topic
        self._by_name[info.name] = topic

    def _prepare(self, request: Request, name: str, partitions: int) -> None:
        """Count partitions in before they are made. Raises Refused."""
        coming = sum(self._preparing_partitions.values())
        most = self._partitions_total_max
        if self._partitions_total + coming + partitions > most:
            raise Refused(
                "bad_request",
                f"{counted(partitions, 'more partition')} {agreeing(partitions, 'is', 'are')} too "
                f"many: this broker has {self._partitions_total + coming} and holds at most {most}",
            )
        self._preparing[name] = [request]
        self._waiting += 1
        self._preparing_partitions[name] = partitions

    def _check_partitions(self, partitions: int) -> None:
        if not 1 <= partitions <= self._partitions_max:
            raise Refused(
                "bad_request", f"{partitions} partitions; 1 to {self._partitions_max} are allowed"
            )


class Catalog(NamedTuple):
    """The topics of a catalog, and by name why there are no others."""

    topics: list[TopicInfo]
    refused: dict[str, str]


def read_catalog(entries: Mapping[bytes, bytes]) -> Catalog:
    """All topics that a catalog knows."""
    found = Catalog([], {})
    ids: set[int] = set()
    for key, value in entries.items():
        if key.startswith(_TOPIC_KEY):
            name = key[len(_TOPIC_KEY) :].decode(errors="backslashreplace")
            try:
                info = decode_topic(name, value)
                if info.topic_id in ids:
                    raise BadEntry(f"another topic has the id {info.topic_id:#x}, too")
            except BadEntry as error:
                found.refused[name] = f"in the topic's entry: {error}"
                continue
            ids.add(info.topic_id)
            found.topics.append(info)
    return found


def schedule_key(topic_id: int) -> bytes:
    """The key under which the catalog says that a topic's schedule log was made."""
    return b"schedule/%016x" % topic_id


def leaving_key(topic_id: int, group: str) -> bytes:
    """The key under which the catalog says that a group is deleted, of which group logs may still
    say something."""
    return b"leaving/%016x/%s" % (topic_id, group.encode())


def gone_key(name: str, topic_id: int) -> bytes:
    """The key under which the catalog says that there may be files of a deleted topic."""
    return b"gone/%016x/%s" % (topic_id, name.encode())


def gone_topics(entries: Mapping[bytes, bytes]) -> Iterator[tuple[str, int]]:
    """Names and ids of the deleted topics of which there may be files."""
    for found in filter(None, map(_GONE.fullmatch, entries)):
        yield found[2].decode(), int(found[1], 16)


def logs_of(info: TopicInfo, entries: Mapping[bytes, bytes]) -> Iterator[LogId]:
    """The logs that were made for a topic of a catalog with these entries."""
    for partition in range(info.partitions):
        yield LogId(info.topic_id, partition, Role.DATA)
        yield LogId(info.topic_id, partition, Role.GROUPS)
    if schedule_key(info.topic_id) in entries:
        yield LogId(info.topic_id, 0, Role.SCHEDULE)


def page_of(names: Iterable[str], after: str) -> NamesPage:
    """The names behind ``after``, in order, at most PAGE_NAMES."""
    page = nsmallest(PAGE_NAMES + 1, (name for name in names if name > after))
    return NamesPage(page[:PAGE_NAMES], len(page) > PAGE_NAMES)


def _key(name: str) -> bytes:
    return _TOPIC_KEY + name.encode()


def entry(info: TopicInfo) -> PutState:
    """What the catalog is to say of a topic."""
    return PutState(CATALOG, {_key(info.name): encode_topic(info)})
