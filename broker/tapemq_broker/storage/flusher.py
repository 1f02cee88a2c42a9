"""Group commit: a state machine without threads over ``disk.sync``.

While one round of syncs runs, the next batches gather; no timer delays anything. A round covers
all logs that were dirty when it began, and what ``prepare`` writes right before that: changes of
state that gather meanwhile are one batch, however many they are. This is the only place from
which durability is told, so news about a log never overtakes earlier news. A failed sync is fatal
and never retried: the system may already have dropped what it could not write, and a second sync
would succeed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Generic, Protocol, TypeVar

from tapemq_broker.storage.disk import Disk, File


class Target(Protocol):
    """What a round covers of one log."""

    @property
    def files(self) -> Sequence[File]:
        """The files to sync."""


class Syncable(Protocol):
    """A log, as far as the flusher needs it."""

    @property
    def durable_offset(self) -> int:
        """Everything below it is on disk."""

    def begin_sync(self) -> Any:
        """What a round that begins now covers: a Target."""

    def mark_durable(self, target: Any) -> None:
        """The round for this target has succeeded."""


L = TypeVar("L", bound=Syncable)


class Flusher(Generic[L]):
    """Makes logs durable, one round at a time.

    ``on_durable`` is called with a log and its new durable offset, ``fatal`` with the reason why
    the process must end; after that nothing is told any more. ``prepare`` is called when a round
    is about to begin: what it writes, and calls dirty(), belongs to that round.
    """

    def __init__(
        self,
        disk: Disk,
        on_durable: Callable[[L, int], None],
        fatal: Callable[[str], object],
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self.rounds = 0
        self.files_synced = 0
        self._disk: Final = disk
        self._on_durable: Final = on_durable
        self._fatal: Final = fatal
        self._prepare: Final = prepare
        # Ordered sets: news is told in the order in which the logs became dirty.
        self._dirty: dict[L, None] = {}
        self._syncing: dict[L, Target] = {}
        self._news: dict[L, int] = {}
        self._is_running = False
        self._is_woken = False
        self._is_held = False
        self._has_failed = False
        self._waiting: list[Callable[[], None]] = []

    @property
    def idle(self) -> bool:
        """Whether everything that was called dirty is durable."""
        return not (self._is_running or self._dirty or self._is_woken)

    def dirty(self, log: L) -> None:
        """Something was appended to a log: sync it, at once or in the next round."""
        self._dirty[log] = None
        if not (self._is_running or self._is_held):
            self._begin_round()

    def wake(self) -> None:
        """There is something to prepare: begin a round, at once or when this one has ended."""
        self._is_woken = True
        if not (self._is_running or self._is_held):
            self._begin_round()
            self._call_idle()

    def again(self, log: L) -> None:
        """While a round is prepared: it covers this log, too, and no news of it comes before.

        What waits for the log may stand for others that this round is the first to sync.
        """
        self._news.pop(log, None)
        self._dirty[log] = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Begin no round within the block: what is written there goes together."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            if not (self._is_running or self.idle):
                self._begin_round()
                self._call_idle()

    def forget(self, log: L) -> None:
        """A log is being removed: tell nothing about it any more."""
        self._dirty.pop(log, None)
        self._syncing.pop(log, None)
        self._news.pop(log, None)

    def when_idle(self, callback: Callable[[], None]) -> None:
        """Call back once everything is durable; at once if it is. Never after a failure."""
        if self.idle and not self._has_failed:
            callback()
        else:
            self._waiting.append(callback)

    def _begin_round(self) -> None:
        if self._has_failed:
            return
        self._is_running = True  # while it prepares, too: what becomes dirty is of this round
        try:
            self._is_woken = False
            self._prepare()
            logs, self._dirty = self._dirty, {}
            self._syncing = {log: log.begin_sync() for log in logs}
        except Exception as error:  # whatever it is, a round that never ends would be worse
            self._fail(error)
            return
        if not logs:
            self._is_running = False
            return
        files = [file for target in self._syncing.values() for file in target.files]
        self.rounds += 1
        self.files_synced += len(files)
        self._disk.sync(files, self._end_round)

    def _end_round(self, error: Exception | None) -> None:
        if error is not None:
            self._fail(error)
            return
        synced, self._syncing = self._syncing, {}
        self._is_running = False
        for log, target in synced.items():
            log.mark_durable(target)
        self._news = {log: log.durable_offset for log in synced}
        if self._dirty or self._is_woken:
            # Before the news is told, so that the disk works meanwhile. Its own end comes later.
            self._begin_round()
        while self._news:
            log = next(iter(self._news))
            self._on_durable(log, self._news.pop(log))
        self._call_idle()

    def _call_idle(self) -> None:
        while self._waiting and self.idle and not self._has_failed:
            self._waiting.pop(0)()

    def _fail(self, error: Exception) -> None:
        self._has_failed = True
        self._is_running = True
        self._fatal(f"a sync failed, so what is on the disk is not known: {error!r}")
