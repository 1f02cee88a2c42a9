"""What the core has changed and not written yet: it goes to the logs when a round of syncs begins.

So everything that changes while one round runs is one batch of a log, and durable with the next.
A full disk refuses nobody: what it does not take is kept, and the answers wait.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tapemq.batch import LogId
from tapemq_broker.storage.errors import LogFull

Changes = Mapping[bytes, bytes | None]

FEW_ENTRIES: Final = 64
"""So many always fit in one batch: the largest entries take 8 KiB."""

BATCH_BYTES: Final = 1024 * 1024
"""About how large a batch may be, where there is more than one needs."""

BATCH_ENTRIES: Final = 4096
"""Nor has it more entries: a removal is a few bytes, and 65,535 are the most that a batch takes."""


class StateChanges:
    """Gathers the logs that have changed. ``take`` asks the core, once, for what has changed in
    one of them; ``put`` writes it, or raises LogFull."""

    def __init__(
        self, take: Callable[[LogId], Changes], put: Callable[[LogId, Changes], None]
    ) -> None:
        self._take: Final = take
        self._put: Final = put
        self._noted: dict[LogId, None] = {}
        self._kept: Final[dict[LogId, dict[bytes, bytes | None]]] = {}
        self._topics: set[int] = set()

    def __bool__(self) -> bool:
        """Something is not written yet."""
        return bool(self._topics)

    def note(self, log_id: LogId) -> None:
        """The core has changed what it keeps in this log."""
        self._noted[log_id] = None
        self._topics.add(log_id.topic_id)

    def forget(self, log_id: LogId) -> None:
        """A log is being removed."""
        self._noted.pop(log_id, None)
        self._kept.pop(log_id, None)
        self._topics = self._unwritten_topics()

    def holds_back(self, topic_id: int) -> bool:
        """Whether a log of this topic misses something."""
        return topic_id in self._topics

    def write(self) -> set[int]:
        """Write all that there is. Returns the topics of which nothing is missing any more."""
        noted, self._noted = self._noted, {}
        for log_id in noted:
            self._kept.setdefault(log_id, {}).update(self._take(log_id))
        for log_id in list(self._kept):
            try:
                self._write(log_id)
            except LogFull:
                break  # each of thousands of logs would be tried in vain
        before, self._topics = self._topics, self._unwritten_topics()
        return before - self._topics

    def write_kept(self, log_id: LogId) -> None:
        """Write what a full disk did not take, before something newer goes to the same log.

        Raises LogFull.
        """
        if log_id in self._kept:
            self._write(log_id)

    def add_to_kept(self, log_id: LogId, changes: Changes) -> bool:
        """Let something newer go with what a full disk did not take, if there is anything: before
        it or behind it, the older could come last."""
        kept = self._kept.get(log_id)
        if kept is not None:
            kept.update(changes)
        return kept is not None

    def _write(self, log_id: LogId) -> None:
        for changes in batches_of(self._kept[log_id]):
            self._put(log_id, changes)
        del self._kept[log_id]

    def _unwritten_topics(self) -> set[int]:
        return {log_id.topic_id for log_id in (*self._noted, *self._kept)}


def batches_of(changes: Changes) -> Iterator[Changes]:
    """In one batch if possible.

    Else what is set comes first: a crash in between must not find a record neither dead nor
    waiting because the one entry was removed and the other one not yet set.
    """
    if len(changes) <= FEW_ENTRIES:
        yield changes
        return
    batch: dict[bytes, bytes | None] = {}
    size_bytes = 0
    for key, value in sorted(changes.items(), key=lambda entry: entry[1] is None):
        batch[key] = value
        size_bytes += len(key) + len(value or b"")
        if size_bytes >= BATCH_BYTES or len(batch) == BATCH_ENTRIES:
            yield batch
            batch, size_bytes = {}, 0
    if batch:
        yield batch
