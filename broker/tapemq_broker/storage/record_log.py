"""The log seam: the few operations through which everything above storage uses a log.

Nothing above it may assume a local file or an instant answer.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from tapemq.batch import Kind
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.disk import Buffer


class NewBatch(NamedTuple):
    """A batch to append: its checked body, and what its header needs to know of it."""

    kind: Kind
    record_count: int
    body: Buffer
    body_checksum: int
    flags: int = 0


class LogSettings(NamedTuple):
    """How a log lays out its files."""

    segment_bytes: int = 64 * 1024 * 1024
    index_interval_bytes: int = 64 * 1024


class SegmentInfo(NamedTuple):
    """One segment of a log; the last one is being appended to."""

    base_offset: int
    next_offset: int
    size_bytes: int
    last_append_time_us: int


RECORDS_MAX: Final = 1 << 62
"""As good as no limit to the records of a read."""


class Chunk(NamedTuple):
    """Whole batches as they rest, checked.

    ``record_count`` counts the records at or above the asked offset. ``next_offset`` is where to
    go on; it is beyond the asked offset unless that was ``upto``. ``hint`` makes going on cheap.
    """

    data: memoryview
    record_count: int
    next_offset: int
    hint: object


class Plan(Protocol):
    """A read that is ready to run, in any thread."""

    def run(self, wait: bool) -> Chunk | None:
        """Read and check; None if that would take long (wait for the disk) and not ``wait``.

        The first batch contains the asked offset, the last one ends at ``upto`` or before; there
        is at least one, even if it alone is larger than ``max_bytes``. Marks may be among them.
        Raises CorruptLog for damage at the asked offset (what is sound before damage is returned
        first), OffsetOutOfRange if retention was faster, OSError if the disk fails.
        """


class RecordLog(Protocol):
    """An append-only log of batches. Offsets: first <= durable <= next."""

    @property
    def first_offset(self) -> int:
        """The oldest offset that can be read."""

    @property
    def next_offset(self) -> int:
        """The offset that the next record gets."""

    @property
    def durable_offset(self) -> int:
        """Everything below it is on disk."""

    @property
    def log_epoch(self) -> int:
        """How often a tail that was never acknowledged had to be cut off."""

    @property
    def size_bytes(self) -> int:
        """What the log takes on disk."""

    @property
    def last_append_time_us(self) -> int:
        """Broker time of the newest batch; never decreases. 0 if there was none."""

    @property
    def segment_begun_us(self) -> int | None:
        """Broker time of the first batch of the newest segment; None as long as it has none."""

    def append(self, batch: NewBatch, now_us: int) -> int:
        """Append a batch and return its base offset. It is written, not yet durable.

        Raises LogFull if there is no room: nothing has changed, and it may be tried again. Raises
        LogFailed for any other failure: the process must end.
        """

    def mark(self, now_us: int) -> None:
        """Append an empty batch that proves that the last one was durable, if none does yet.

        For a log that has been idle for a moment: only then damage to its last batch can be told
        from a torn write. Needs no sync. Raises what append() raises.
        """

    def plan(
        self,
        offset: int,
        *,
        upto: int,
        max_bytes: int,
        max_records: int = RECORDS_MAX,
        hint: object = None,
    ) -> Plan:
        """A read from ``offset`` up to ``upto``, the end of a batch, of about ``max_bytes``.

        It ends with the batch that brings it to ``max_records``, or before.
        ``hint`` is that of the Chunk that ended at ``offset``, if there is one. Raises
        OffsetOutOfRange unless first_offset <= offset <= upto.
        """

    def offset_at(self, time_us: int) -> int:
        """The first offset appended at ``time_us`` or later; next_offset if there is none.

        Blocks; may run in any thread. Raises CorruptLog, OSError.
        """

    def truncate_front(self, offset: int) -> None:
        """Remove whole segments that lie wholly below ``offset``, in the background.

        A segment with durable records is always left.
        """

    def roll(self) -> bool:
        """Begin a new segment, so that truncate_front() can remove all before it.

        False if that is not possible just now: the segment is empty, or the last roll is not
        durable yet. Raises what append() raises.
        """

    def segments(self) -> list[SegmentInfo]:
        """All segments, oldest first."""

    def landmarks(self, covering_bytes: int, *, wait: bool) -> Iterator[tuple[int, int]]:
        """Offsets, and how many bytes the log takes below each; ascending, the last is its end.

        They cover the newest so many bytes, or all there are, and count from the first of them.
        They are some 64 KiB apart; where that takes the disk and ``wait`` is False, a segment.
        Raises OSError if the disk fails. Nothing may happen to the log until the last was taken.
        """

    def close(self, *, clean: bool, now_us: int) -> CleanEntry | None:
        """Let go of the files. Nothing can be appended any more.

        Clean: what is not durable yet is made so (blocks), and what the next start needs in order
        not to scan is returned. Raises LogFailed, OSError: then the stop was not clean.
        """
