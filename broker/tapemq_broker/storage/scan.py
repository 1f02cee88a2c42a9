"""Walking through a segment's bytes: batch by batch up to the first bad place, and beyond it.

Memory stays bounded: one window of a mebibyte, or one batch where that is larger.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tapemq.batch import (
    BODY_BYTES_MAX,
    HEADER_BYTES,
    BatchError,
    Header,
    LogId,
    UnknownFormat,
    decode_header,
)
from tapemq.batch.header import MAGIC
from tapemq_broker.storage.decision import Place
from tapemq_broker.storage.disk import File
from tapemq_broker.storage.gap import PREVIOUS_CHECKSUM_AT
from tapemq_broker.storage.running_checksum import RunningChecksum

WINDOW_BYTES: Final = 1024 * 1024
"""How much is read at a time: 1 MiB takes 21 µs from the page cache, and disks like it."""


_PIECE_BYTES: Final = 4096
"""Little of it is looked at where there is a magic every few bytes."""


class Batch(NamedTuple):
    """A batch found in a segment, checksums verified. ``body`` is valid until the next one."""

    position: int
    header: Header
    body: memoryview


class BadPlace(NamedTuple):
    """Where walking ended, and why. ``header`` is set if it is sound and only the body is not."""

    position: int
    header: Header | None
    place: Place
    reason: str


class Window:
    """Buffered reads of one file."""

    def __init__(self, file: File) -> None:
        self.size_bytes: Final = file.size_bytes
        self._file = file
        self._data = memoryview(b"")
        self._start = 0
        self._sums: RunningChecksum | None = None

    def view(self, position: int, size_bytes: int) -> memoryview:
        """The bytes from ``position`` on, fewer only at the end of the file."""
        size_bytes = max(0, min(size_bytes, self.size_bytes - position))
        at = position - self._start
        if at < 0 or at + size_bytes > len(self._data):
            wanted = max(size_bytes, WINDOW_BYTES)
            self._data = memoryview(self._file.read(position, wanted))
            self._start, at = position, 0
        return self._data[at : at + size_bytes]

    @property
    def was_searched(self) -> bool:
        """Whether there may be headers in it that a client has made up."""
        return self._sums is not None

    def is_sound(self, position: int, header: Header) -> bool:
        """Whether the body behind a header is the one that it was written for.

        Not before where this was asked first. However many headers are asked about, and however
        large their bodies, the file is read about once. Raises OSError.
        """
        first = position + HEADER_BYTES
        stop = first + header.body_length
        if self._sums is None:
            self._sums = RunningChecksum(self._file, position)
        return stop <= self.size_bytes and self._sums.of(first, stop) == header.body_checksum


def read_batch(window: Window, position: int) -> Batch | BadPlace | None:
    """The batch at ``position``; None exactly at the end of the file. Never raises."""
    if position == window.size_bytes:
        return None
    try:
        return _read_batch(window, position)
    except OSError as error:
        return BadPlace(position, None, Place.UNREADABLE, f"reading failed: {error}")


def _read_batch(window: Window, position: int) -> Batch | BadPlace:
    head = window.view(position, HEADER_BYTES)
    try:
        header = decode_header(head)
    except UnknownFormat as error:
        return BadPlace(position, None, Place.NEWER, str(error))
    except BatchError as error:
        if _is_zero(window, position):
            reason = f"{window.size_bytes - position} zero bytes"
            return BadPlace(position, None, Place.ZEROS, reason)
        place = Place.SHORT if len(head) < HEADER_BYTES else Place.DAMAGED
        return BadPlace(position, None, place, str(error))
    left_bytes = window.size_bytes - position - HEADER_BYTES
    if left_bytes < header.body_length:
        reason = f"{left_bytes} of the body's {header.body_length} bytes are there"
        return BadPlace(position, header, Place.SHORT, reason)
    if window.was_searched and not window.is_sound(position, header):
        reason = f"the body of batch {header.batch_number} is not what was written"
        return BadPlace(position, header, Place.DAMAGED, reason)
    body = window.view(position + HEADER_BYTES, header.body_length)
    try:
        header.check_body(body)
    except BatchError as error:
        return BadPlace(position, header, Place.DAMAGED, str(error))
    return Batch(position, header, body)


def _is_zero(window: Window, position: int) -> bool:
    size_bytes = HEADER_BYTES  # most often they are not, and there may be very many bad places
    while position < window.size_bytes:
        piece = bytes(window.view(position, size_bytes))
        if piece.count(0) != len(piece):
            return False
        position += len(piece)
        size_bytes = WINDOW_BYTES
    return True


def resync(window: Window, position: int, log_id: LogId) -> Iterator[tuple[int, Header]]:
    """Sound headers of this log from ``position`` on, whatever lies between them.

    A body is stepped over only if it matches its header; else the search goes on inside it, so
    that bytes that a client put into a payload to look like a header cannot hide what follows.
    Raises OSError for bytes that cannot be read.
    """
    while (found := _find_magic(window, position)) is not None:
        position = found + 1
        try:
            header = decode_header(window.view(found, HEADER_BYTES))
        except BatchError:
            continue
        if header.log_id != log_id:
            continue
        yield found, header
        if window.is_sound(found, header):
            position = found + header.batch_bytes


def _find_magic(window: Window, position: int) -> int | None:
    while window.size_bytes - position >= HEADER_BYTES:
        piece = bytes(window.view(position, _PIECE_BYTES))
        found = piece.find(MAGIC)
        if found >= 0:
            return position + found
        # Step back a little: the magic may lie across the border of two pieces.
        position += max(1, len(piece) - len(MAGIC) + 1)
    return None


def last_batch(window: Window, size_bytes: int, last_checksum: int) -> Batch | None:
    """The batch that ends at ``size_bytes`` and leaves the log at the given checksum, if any.

    That is the one of its header, or the one that a gap names. Found backwards from the end, so
    that a segment need not be walked through from its start.
    None also when the bytes cannot be read.
    """
    try:
        for reach in _REACHES_BYTES:
            start = max(0, size_bytes - reach)
            batch = _batch_ending_at(window, start, size_bytes, last_checksum)
            if batch is not None or start == 0:
                return batch
    except OSError:
        pass
    return None


# Most batches are small, so most searches end with the first read.
_REACHES_BYTES: Final = (64 * 1024, 1024 * 1024, HEADER_BYTES + BODY_BYTES_MAX)


_GAP_BYTES: Final = HEADER_BYTES + PREVIOUS_CHECKSUM_AT + 4
"""Of a gap, up to the end of the checksum that it names."""


def _batch_ending_at(window: Window, start: int, end: int, last_checksum: int) -> Batch | None:
    region = bytes(window.view(start, end - start))
    wanted = last_checksum.to_bytes(4, "big")
    found = region.rfind(wanted)
    while found >= 0:
        header_end = start + found + len(wanted)
        for position in (header_end - HEADER_BYTES, header_end - _GAP_BYTES):
            batch = read_batch(window, position) if position >= start else None
            if isinstance(batch, Batch) and position + batch.header.batch_bytes == end:
                return batch
        found = region.rfind(wanted, 0, found + len(wanted) - 1)
    return None
