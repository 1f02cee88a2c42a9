"""State kept as a log: the last value of each key, with snapshots so that the log stays short."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from tapemq.batch import HEADER_BYTES, Kind, LogId, checksum
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.errors import LogFull
from tapemq_broker.storage.last_values import (
    Changes,
    LastValues,
    Part,
    encode_changes,
    encode_parts,
)
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.record_log import LogSettings, NewBatch
from tapemq_broker.storage.segment_cache import SegmentCache

SNAPSHOT_BYTES_MIN: Final = 1024 * 1024
"""Changes that gather at least before a snapshot is written."""

SNAPSHOT_RATIO: Final = 4
"""How many times larger than the last snapshot the changes since it may grow. So snapshots add a
quarter to what is written, and a start reads at most five times the state."""


class _Snapshot:
    """A snapshot that is being written."""

    def __init__(self, parts: Iterator[Part], base: int, changes_bytes: int) -> None:
        self.parts: Final = parts
        self.base: Final = base
        self.changes_bytes: Final = changes_bytes
        self.size_bytes = 0
        self.part: Part | None = next(parts)


class StateLog:
    """A log whose batches add up to ``entries``.

    The log itself, ``log``, is handed to the flusher by whoever puts. A snapshot is written bit
    by bit, a part with each put, so that no put takes long. All methods belong to one thread.
    """

    def __init__(self, log: Log, kind: Kind, state: LastValues) -> None:
        self.log: Final = log
        self._kind: Final = kind
        self._state: Final = state
        self._snapshot: _Snapshot | None = None
        self._refused_at_bytes = 0

    @classmethod
    def open(
        cls,
        disk: Disk,
        directory: str,
        log_id: LogId,
        kind: Kind,
        *,
        clean: CleanEntry | None = None,
        now_us: int,
        settings: LogSettings | None = None,
        must_exist: bool = False,
        cache: SegmentCache | None = None,
    ) -> "StateLog":
        """Recover the log and add it up. Blocks. Raises LogRefused, CorruptLog, OSError."""
        state = LastValues()
        log = Log.open(
            disk,
            directory,
            log_id,
            settings=settings or LogSettings(),
            observer=state,
            clean=clean,
            now_us=now_us,
            must_exist=must_exist,
            cache=cache,
        )
        state.opened()
        # What is old goes with the next put: whoever opens it may find that it makes no sense, and
        # then what the clean stop noted must go on to fit.
        return cls(log, kind, state)

    @property
    def entries(self) -> dict[bytes, bytes]:
        """The last value of each key. Change it with put() only."""
        return self._state.entries

    def put(self, changes: Changes, now_us: int) -> int:
        """Set keys, or remove those whose value is None: all in one batch, or none of it.

        Returns the offset up to which the log must be durable for the changes to be. Raises
        LogFull if there is no room (nothing has changed), LogFailed, and BatchError if it is more
        than a batch may hold.
        """
        if changes:
            body = encode_changes(changes)
            self._append(Part(len(changes), body, 0), now_us)
            self._state.apply(changes, HEADER_BYTES + len(body))
        end = self.log.next_offset
        # The changes are in; the snapshot can wait until there is room.
        with suppress(LogFull):
            self._go_on_with_snapshot(now_us)
        self._drop_old()
        return end

    def close(self, *, clean: bool, now_us: int) -> CleanEntry | None:
        """Close the log; see there."""
        return self.log.close(clean=clean, now_us=now_us)

    def _append(self, part: Part, now_us: int) -> None:
        body_checksum = checksum(part.body)
        batch = NewBatch(self._kind, part.record_count, part.body, body_checksum, part.flags)
        self.log.append(batch, now_us)

    def _go_on_with_snapshot(self, now_us: int) -> None:
        if self._snapshot is None and self._is_snapshot_due():
            self._begin_snapshot()
        snapshot = self._snapshot
        if snapshot is None or snapshot.part is None:
            return
        try:
            self._append(snapshot.part, now_us)
        except LogFull:
            if snapshot.size_bytes == 0:
                # What is put from now on would lie in front of its first part, and not be in it.
                self._snapshot = None
                self._refused_at_bytes = self._state.changes_bytes
            raise
        snapshot.size_bytes += HEADER_BYTES + len(snapshot.part.body)
        snapshot.part = next(snapshot.parts, None)
        if snapshot.part is None:
            self._snapshot = None
            self._refused_at_bytes = 0
            self._state.restated(
                snapshot.base, self.log.next_offset, snapshot.size_bytes, snapshot.changes_bytes
            )

    def _is_snapshot_due(self) -> bool:
        due_bytes = max(SNAPSHOT_BYTES_MIN, SNAPSHOT_RATIO * self._state.snapshot_bytes)
        if self._refused_at_bytes:  # each attempt makes a segment
            due_bytes = max(due_bytes, self._refused_at_bytes + SNAPSHOT_BYTES_MIN // 4)
        return self._state.changes_bytes > due_bytes

    def _begin_snapshot(self) -> None:
        """Begin in a segment of its own, so that what is before it can be removed."""
        self.log.roll()
        base = self.log.next_offset
        if self.log.segments()[-1].base_offset == base:
            parts = encode_parts(self._state.entries)
            self._snapshot = _Snapshot(parts, base, self._state.changes_bytes)

    def _drop_old(self) -> None:
        """Remove what is before the newest snapshot, once that is on disk."""
        base = self._state.snapshot_base
        if self.log.first_offset < base and self._state.snapshot_end <= self.log.durable_offset:
            self.log.truncate_front(base)
