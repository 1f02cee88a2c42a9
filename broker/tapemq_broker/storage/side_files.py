"""The files beside the segments of a log: the indexes of those that are full, and the states.

All are caches, and yet what an observer knows is in none but the last states once retention has
removed the segments that it was derived from. So it is known here which state is on disk.
"""

from contextlib import suppress
from typing import Final

from tapemq.batch import LogId
from tapemq_broker.storage.disk import File
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.paths import state_path
from tapemq_broker.storage.sealing import Ending, write_index, write_state
from tapemq_broker.storage.segment_cache import SegmentCache


class SideFiles:
    """Written when a segment is sealed, and synced with the next round.

    ``states`` are the offsets that states on disk are of, in order, as found when the log was
    opened.
    """

    def __init__(
        self, cache: SegmentCache, directory: str, log_id: LogId, states: list[int]
    ) -> None:
        self._cache: Final = cache
        self._directory: Final = directory
        self._log_id: Final = log_id
        self._unsynced: list[File] = []
        self._states: Final = states
        # Up to where the newest states go: written, in a sync round, and on disk.
        self._written = self._in_sync = self._on_disk = states[-1] if states else 0
        self._missing: Ending | None = None  # its state could not be written

    @property
    def are_unsynced(self) -> bool:
        """Whether something waits for a round of syncs."""
        return bool(self._unsynced)

    @property
    def state_offset(self) -> int:
        """A state on disk says what the observer made of all below; 0 if none does."""
        return self._on_disk

    def seal(self, rolled: Ending, index: Index | None) -> None:
        """Write what the next start needs of a segment that is on disk. What cannot be written is
        no error: an index is made anew from the log, and a state written before a removal."""
        segment = rolled.segment
        if index is not None:
            self._unsynced += write_index(
                self._cache.disk, self._log_id, rolled, index, complete=True
            )
            self._cache.indexes.put(segment.index_path, index)
        self._missing = rolled if rolled.state is not None else None
        self.write_missing()

    def write_missing(self) -> None:
        """Write the state that could not be written when its segment was sealed, if one could
        not."""
        rolled = self._missing
        if rolled is not None:
            written = self._write_state(rolled)
            self._unsynced += written
            if written:
                self._written = rolled.end.next_offset
                self._states.append(self._written)
                self._missing = None
                self._remove_old()

    def write_end(self, ending: Ending, index: Index) -> None:
        """Write those of the last segment, where the log is about to be closed."""
        write_index(self._cache.disk, self._log_id, ending, index, complete=False)
        if ending.end.next_offset not in self._states:
            self._write_state(ending)

    def begin_sync(self) -> list[File]:
        """The files that a round which starts now must sync."""
        files, self._unsynced = self._unsynced, []
        self._in_sync = self._written
        return files

    def mark_synced(self) -> None:
        """Take note that the round has succeeded."""
        self._on_disk = self._in_sync

    def forget(self) -> None:
        """Hold none of them open. They are brought to the disk by the system, or else made anew."""
        self._unsynced = []

    def _write_state(self, ending: Ending) -> list[File]:
        return write_state(
            self._cache.disk, self._directory, self._log_id, ending.end, ending.state
        )

    def _remove_old(self) -> None:
        """Not the newest one that is on disk: the one just written may not get there."""
        while self._states[0] < self._on_disk:
            with suppress(OSError):
                self._cache.disk.remove(state_path(self._directory, self._states[0]))
            del self._states[0]
