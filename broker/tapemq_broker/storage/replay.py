"""Rebuilding what a log keeps in memory while it is opened: indexes and the observer's state."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Final

from tapemq.batch import BatchError, Header, Kind, LogId
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.disk import Disk, File
from tapemq_broker.storage.errors import NO_FILES_ERRORS, CorruptLog, not_understood
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.observer import Observer
from tapemq_broker.storage.paths import base_offsets, segment_path, state_path
from tapemq_broker.storage.refusal import unreadable
from tapemq_broker.storage.scan import BadPlace, Batch, Window, read_batch
from tapemq_broker.storage.snapshot import decode_snapshot, is_whole
from tapemq_broker.storage.survey import beginning


class Replay:
    """Takes what recovery scans, so that nothing is read twice. A Visitor.

    Where the state in front of what is scanned is missing, older segments are read for it.
    ``indexes`` are those of the scanned segments by base offset. ``last_state`` is the log and the
    observer as of where the last segment begins, unless a file has told it; ``useless_states`` are
    the offsets of files that say nothing, or nobody has looked at.
    """

    def __init__(
        self,
        disk: Disk,
        directory: str,
        log_id: LogId,
        observer: Observer | None,
        interval_bytes: int,
    ) -> None:
        self.indexes: Final[dict[int, Index]] = {}
        self.last_state: tuple[LogEnd, bytes | None] | None = None
        self.useless_states: Final[set[int]] = set()
        self._disk: Final = disk
        self._directory: Final = directory
        self._log_id: Final = log_id
        self._observer: Final = observer
        self._interval_bytes: Final = interval_bytes
        try:
            names = disk.list_directory(directory)
        except OSError as error:
            raise unreadable(directory, error) from None
        self._bases: Sequence[int] = base_offsets(names, ".log")
        self._states: Final = base_offsets(names, ".state")
        # Nothing says what the observer knew before what is scanned, unless a later state does.
        self._is_late = False

    def __call__(self, segment_base: int, position: int, header: Header, body: memoryview) -> None:
        """Take a batch that recovery keeps."""
        index = self.indexes.get(segment_base)
        if index is None:
            self._enter(segment_base, LogEnd.before(header))
            index = self.indexes[segment_base] = Index()
        index.add(header, position, self._interval_bytes)
        if self._observer is not None and not self._is_late:
            path = segment_path(self._directory, segment_base)
            _show(self._observer, path, Batch(position, header, body))

    def _enter(self, base: int, end: LogEnd) -> None:
        observer = self._observer
        if observer is None or self._is_late:
            return
        if self.indexes:
            if base == self._bases[-1]:
                self.last_state = (end, observer.snapshot())
        elif not self._restored(observer, end):
            if self._bases[0] == 0:
                self._begin_anew(observer, end)
            else:
                self._is_late = True

    def finish(self, end: LogEnd, bases: Sequence[int]) -> None:
        """All was seen; ``end`` is the end of the log without a mark of recovery's own, ``bases``
        the segments that recovery has left."""
        self._bases = bases
        observer = self._observer
        if observer is None:
            return
        if not self.indexes or self._is_late:
            if not self._restored(observer, end):
                self._begin_anew(observer, end)
        elif self._bases[-1] not in self.indexes:
            self.last_state = (end, observer.snapshot())

    def _restored(self, observer: Observer, end: LogEnd) -> bool:
        """Bring the observer to ``end`` from the newest state of this history, if there is one."""
        self.useless_states.clear()
        states = reversed(self._states)
        for offset in states:
            if offset <= end.next_offset and self._begins(observer, offset, end):
                self._bring(observer, offset, end)
                if offset not in self._bases:
                    self._pass_damaged(states)
                return True
            self.useless_states.add(offset)
        return False

    def _pass_damaged(self, states: Iterator[int]) -> None:
        """The state of a clean stop is of use this once: the next older one counts from now on, if
        it is whole."""
        for offset in states:
            if is_whole(self._read_state(offset), self._log_id, offset):
                return
            self.useless_states.add(offset)

    def _begin_anew(self, observer: Observer, end: LogEnd) -> None:
        observer.restore(None)
        self._bring(observer, 0, end)

    def _bring(self, observer: Observer, offset: int, end: LogEnd) -> None:
        """Bring the observer, which is at ``offset``, to ``end``."""
        self._replay(observer, offset, end)
        if offset < end.next_offset == self._bases[-1]:
            self.last_state = (end, observer.snapshot())

    def _begins(self, observer: Observer, offset: int, end: LogEnd) -> bool:
        """Let the observer begin from a state, if there is a sound one of this history."""
        ends = self._ends_at(offset, end)
        if not ends:
            return False
        data = self._read_state(offset)
        states = [decode_snapshot(data, self._log_id, place) for place in ends]
        return any(state is not None and _takes(observer, state) for state in states)

    def _read_state(self, offset: int) -> bytes:
        try:
            return self._disk.read_file(state_path(self._directory, offset)) or b""
        except OSError as error:
            if error.errno in NO_FILES_ERRORS:
                raise  # it may well be there, and what it is of may be removed by now
            return b""  # It is a cache: without it, more of the log is read.

    def _open(self, base: int) -> "closing[File]":
        path = segment_path(self._directory, base)
        try:
            return closing(self._disk.open(path))
        except OSError as error:
            raise unreadable(path, error, from_offset=base, to_offset=base) from None

    def _ends_at(self, offset: int, end: LogEnd) -> list[LogEnd]:
        """All that the end of the log ever was at an offset where a segment begins, or at ``end``:
        there may be marks, which say nothing to observers."""
        ends = [end] if offset == end.next_offset else []
        if offset in self._bases:
            with self._open(offset) as file:
                window, position = Window(file), 0
                while isinstance(found := read_batch(window, position), Batch):
                    ends.append(LogEnd.before(found.header))
                    if found.header.kind is not Kind.MARK:
                        break
                    ends.append(LogEnd.behind(found.header))
                    position += found.header.batch_bytes
        return ends

    def _replay(self, observer: Observer, offset: int, end: LogEnd) -> None:
        """Show what lies between the beginning of a segment and ``end``.

        Nobody has looked inside of these segments: recovery has passed them by, for what their
        seals and last batches say. So each batch must continue the one before it here.
        """
        place: LogEnd | None = None
        for base in self._bases:
            if offset <= base < end.next_offset:
                place = self._replay_segment(observer, base, place, end)

    def _replay_segment(
        self, observer: Observer, base: int, place: LogEnd | None, end: LogEnd
    ) -> LogEnd:
        path = segment_path(self._directory, base)
        with self._open(base) as file:
            window = Window(file)
            position, place = 0, place or beginning(window, base)
            while place.next_batch < end.next_batch:
                found = read_batch(window, position)
                if found is None:
                    break
                batch, place = self._take(path, found, place, end)
                _show(observer, path, batch)
                position += batch.header.batch_bytes
        return place

    def _take(
        self, path: str, found: Batch | BadPlace, place: LogEnd, end: LogEnd
    ) -> tuple[Batch, LogEnd]:
        try:
            if isinstance(found, BadPlace):
                raise BatchError(found.reason)
            return found, place.step(found.header, found.body, self._log_id)
        except BatchError as error:
            offset, upto = place.next_offset, end.next_offset
            raise CorruptLog(path, found.position, offset, upto, str(error)) from None


def _takes(observer: Observer, state: bytes) -> bool:
    """Whether the observer can begin from a state: else the log itself says it."""
    try:
        observer.restore(state)
    except ValueError:
        return False
    return True


def _show(observer: Observer, path: str, batch: Batch) -> None:
    try:
        observer.observe(batch.header, batch.body)
    except ValueError as error:
        header = batch.header
        reason = f"batch {header.batch_number}: {error}"
        raise not_understood(
            path, batch.position, header.base_offset, header.next_offset, reason
        ) from None
