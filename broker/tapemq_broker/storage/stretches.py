"""A log as it lies there, sound or not: stretches of batches that continue each other, and others.

Unlike recovery, which stops at the first bad place, this goes on behind it. The offline tools
use it; no broker runs meanwhile.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tapemq.batch import HEADER_BYTES, BatchError, Header, decode_header
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.decision import Place
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.scan import BadPlace, Batch, Window, read_batch, resync


class Stretch(NamedTuple):
    """Bytes of a segment from ``start`` to ``stop``.

    A sound stretch continues ``before`` and leaves the log at ``after``. In a bad one both are
    where the sound part before it ended; ``place`` and ``reason`` say what was found.
    """

    segment_base: int
    start: int
    stop: int
    before: LogEnd
    after: LogEnd
    place: Place = Place.END
    reason: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether these are batches that belong here."""
        return self.place is Place.END

    @property
    def beginning(self) -> LogEnd:
        """What the log continues that begins with this stretch. Its first batch says it where
        older ones were removed."""
        if self.before.next_offset == self.segment_base > 0:
            return self.before
        return LogEnd(next_offset=self.segment_base)

    @property
    def starts_late(self) -> bool:
        """Whether something is missing in front of it if it is the oldest one."""
        return self.is_sound and self.before[:3] != self.beginning[:3]


Take = Callable[[int, Batch], object]
"""Called with the base offset of the segment and each sound batch."""


def stretches(files: LogFiles, take: Take | None = None) -> Iterator[Stretch]:
    """All stretches of a log, oldest first. Two sound ones in a row continue each other.

    Only where a segment is missing there is no bad stretch in between. What cannot be opened, a
    segment or the directory, is a bad stretch of no bytes. Raises OSError.
    """
    end: LogEnd | None = None
    try:
        bases = files.bases()
    except OSError as error:
        reason = f"its directory cannot be read: {error}"
        yield Stretch(0, 0, 0, LogEnd(), LogEnd(), Place.UNREADABLE, reason)
        return
    borders = [base for base in bases if _begins_as_named(files, base)]
    for base in bases:
        try:
            opened = files.open(base)
        except OSError as error:
            at = end or LogEnd(next_offset=base)
            yield Stretch(base, 0, 0, at, at, Place.UNREADABLE, f"opening failed: {error}")
            continue
        upto = next(iter(borders[bisect_right(borders, base) :]), None)
        with opened as file:
            for stretch in _Segment(files, Window(file), base, upto, take).stretches(end):
                yield stretch
                end = stretch.after


def _begins_as_named(files: LogFiles, base: int) -> bool:
    """Whether a segment begins with a batch that belongs there: its name is to be believed."""
    try:
        with files.open(base) as file:
            header = decode_header(file.read(0, HEADER_BYTES))
    except (BatchError, OSError):
        return False
    return (header.log_id, header.base_offset) == (files.log_id, base)


class _Segment:
    """``upto``: where a later segment begins, if one does."""

    def __init__(
        self, files: LogFiles, window: Window, base: int, upto: int | None, take: Take | None
    ) -> None:
        self._files = files
        self._window = window
        self._base = base
        self._upto = upto
        self._take = take

    def stretches(self, end: LogEnd | None) -> Iterator[Stretch]:
        """``end`` is where the log was left by the segments before; None if this is the oldest."""
        first = read_batch(self._window, 0)
        if end is None:
            end = LogEnd(next_offset=self._base)
            if first and first.header and self._begins(first.header):
                end = LogEnd.before(first.header)
        if isinstance(first, Batch) and self._resumes(end, first.header):
            end = LogEnd.before(first.header)
        position = 0
        while position < self._window.size_bytes:
            sound, bad = self._walk(position, end)
            if sound.stop > sound.start:
                yield sound
            end = sound.after
            if bad is None:
                return
            place, reason = bad.place, bad.reason
            try:
                position = self._next_sound(bad, end)
            except OSError as error:
                position, place = self._window.size_bytes, Place.UNREADABLE
                reason = f"{reason}; what follows cannot be read: {error}"
            yield Stretch(self._base, bad.position, position, end, end, place, reason)
            found = read_batch(self._window, position)
            end = LogEnd.before(found.header) if isinstance(found, Batch) else end

    def _walk(self, position: int, before: LogEnd) -> tuple[Stretch, BadPlace | None]:
        start, end, bad = position, before, None
        while (found := read_batch(self._window, position)) is not None:
            try:
                if isinstance(found, BadPlace):
                    bad = found
                    if found.header is not None:
                        end.check(found.header, self._files.log_id)
                    break
                end = end.step(found.header, found.body, self._files.log_id)
            except BatchError as error:
                # Without the header: the length of what does not belong here is not trusted.
                bad = BadPlace(position, None, Place.FOREIGN, str(error))
                break
            if self._take is not None:
                self._take(self._base, found)
            position += found.header.batch_bytes
        return Stretch(self._base, start, position, before, end), bad

    def _next_sound(self, bad: BadPlace, end: LogEnd) -> int:
        """The position of the next whole batch that can be a later one of this log.

        The end of the file if there is none. Raises OSError.
        """
        start = bad.position + (bad.header.batch_bytes if bad.header else 1)
        for position, header in resync(self._window, start, self._files.log_id):
            if self._resumes(end, header) and self._window.is_sound(position, header):
                return position
        return self._window.size_bytes

    def _begins(self, header: Header) -> bool:
        """Whether the oldest segment begins with this batch; older ones were removed."""
        return header.log_id == self._files.log_id and header.base_offset == self._base > 0

    def _resumes(self, end: LogEnd, header: Header) -> bool:
        """Whether a batch can follow, maybe after others were lost. Old copies cannot, nor what
        belongs into a later segment."""
        if LogEnd.before(header)[:3] == end[:3]:
            return header.log_id == self._files.log_id
        return (
            header.log_id == self._files.log_id
            and header.batch_number > end.next_batch
            and end.next_offset <= header.base_offset
            and (self._upto is None or header.next_offset <= self._upto)
            and header.log_epoch >= end.log_epoch
            and header.append_time_us >= end.last_append_time_us
        )
