"""The end of a group: on all partitions of its topic, or on none.

What is written to several logs, a crash may leave in some of them. A group that came back on some
partitions only would begin anew on the others, and get again what it has confirmed. So the catalog
notes first that it is gone. From then on what group logs say of it counts for nothing; it is
removed, by the next start if a crash comes first, and then so is the note.
"""

from collections.abc import Callable, Mapping
from functools import partial

from tapemq.batch import LogId
from tapemq_broker.core.effects import (
    Change,
    Effects,
    PutState,
    Reply,
    ReplyWhenDurable,
    Request,
    WhenDurable,
)
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Done
from tapemq_broker.core.topic import Topic
from tapemq_broker.core.topics import CATALOG, Topics, leaving_key


class Leaving:
    """One group. ``remove``: the group is gone for good; what of its entries is to be removed
    beside those under its name."""

    def __init__(
        self, topics: Topics, topic: Topic, group: str, remove: Callable[[], Effects] = list
    ) -> None:
        self._topics = topics
        self._topic = topic
        self._group = group
        self._remove = remove

    @property
    def _note(self) -> bytes:
        return leaving_key(self._topic.info.topic_id, self._group)

    def begin(self, request: Request, forget: Callable[[], None]) -> Effects:
        """Delete it: ``forget`` it at once; the answer comes when nothing is left of it."""

        def then() -> Effects:
            forget()
            self._topic.leaving.add(self._group)
            return [_once_durable(CATALOG, self._noted, request)]

        return [Change(request, [PutState(CATALOG, {self._note: b""})], then)]

    def _noted(self, request: Request | None) -> Effects:
        effects = self._remove()
        if self._topic.info.topic_id in self._topics.by_id:
            return [*effects, *self.go_on(request)]
        gone = Refusal("unknown_topic", f"topic {self._topic.info.name!r} was deleted")
        return [] if request is None else [Reply(request, gone)]

    def go_on(self, request: Request | None = None) -> Effects:
        """The note is on disk. Every log is written to, the last one last: when that is on disk,
        so are the others."""
        logs = [partition.groups_log for partition in self._topic.group_partitions()]
        puts = [PutState(log, {self._group.encode(): None}) for log in logs]
        return [*puts, _once_durable(logs[-1], self._removed, request)]

    def _removed(self, request: Request | None) -> Effects:
        """Until the note is gone, too, there is no other group of that name: it would go."""
        put = PutState(CATALOG, {self._note: None})
        done = [] if request is None else [ReplyWhenDurable(CATALOG, None, request, Done())]
        return [put, WhenDurable(CATALOG, self._over), *done]

    def _over(self) -> Effects:
        self._topic.leaving.discard(self._group)
        return []


def _once_durable(
    log: LogId, step: Callable[[Request | None], Effects], request: Request | None
) -> WhenDurable:
    return WhenDurable(log, partial(step, request), request, partial(step, None))


def go_on_leaving(topics: Topics, topic: Topic) -> Effects:
    """At a start: complete the deletions that a crash has cut short, once all logs can be used.
    Until then the notes stay: logs that cannot be read may still say something of the groups."""
    effects: Effects = []
    if not any(partition.groups_damage for partition in topic.partitions):
        for group in sorted(topic.leaving):
            effects += Leaving(topics, topic, group).go_on()
    return effects


def without_leaving(topic: Topic, entries: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """A group log without the heads of groups of which the catalog says that they are gone: the
    rest of theirs is what is left of a deletion."""
    gone = {group.encode() for group in topic.leaving}
    return {key: entries[key] for key in entries if key not in gone} if gone else entries
