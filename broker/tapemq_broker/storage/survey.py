"""Looking at a log as a stop or a crash left it. Changes nothing.

Segments up to the newest proof (a seal, or the note of a clean stop) were complete and on disk:
of them only the sizes, the last batches and the chain from one to the next are looked at. What
lies behind the proof is walked through.
"""

from typing import Final, NamedTuple

from tapemq.batch import HEADER_BYTES, BatchError, Header, decode_header
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.decision import Place
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.observer import Visitor
from tapemq_broker.storage.scan import BadPlace, Batch, Window, last_batch, read_batch
from tapemq_broker.storage.unproven import Unproven


class KnownSegment(NamedTuple):
    """A segment, or the sound part of one. ``last`` is its last header, None if it has none."""

    base_offset: int
    size_bytes: int
    last: Header | None


ANY_SIZE: Final = -1


class Proof(NamedTuple):
    """A segment was on disk up to ``size_bytes``, and ``end`` was where the log went on there.

    ``size_bytes`` is ANY_SIZE where only the next segment says so, by what it continues.
    ``is_complete``: nothing of the log ever came behind that in this segment.
    """

    base_offset: int
    size_bytes: int
    end: LogEnd
    is_complete: bool = False


class Trouble(NamedTuple):
    """The first bad place. ``header`` is set if it is the sound header of the next batch."""

    segment_base: int
    position: int
    place: Place
    reason: str
    header: Header | None = None


class Survey:
    """A walk along a log's segments, up to its end or to the first bad place.

    ``segments`` are those up to there, the last one only as far as it is sound, and ``end`` is
    where they leave the log. ``tail_base`` is the first segment that was walked through because
    it is behind the proof: from there on the visitor has seen every batch. ``covered`` says that
    all records up to ``end`` are provably on disk, ``unproven`` which batches are not.
    """

    def __init__(self, files: LogFiles, bases: list[int]) -> None:
        self.segments: list[KnownSegment] = []
        self.end = LogEnd()
        self.trouble: Trouble | None = None
        self.covered = False
        self.tail_base: int | None = None
        self.unproven: Final = Unproven()
        self.bases: Final = bases
        self._files: Final = files

    @property
    def is_empty(self) -> bool:
        """Whether no sound batch was found."""
        return not any(segment.last for segment in self.segments)

    def run(self, proof: Proof | None, visit: Visitor | None) -> None:
        """Look at the segments, oldest first."""
        passed = self._pass_proven(proof) if proof else 0
        for base in self.bases[passed:]:
            in_tail = proof is None or base >= proof.base_offset
            if in_tail and self.tail_base is None:
                self.tail_base = base
            self._walk_through(base, visit if in_tail else None)
            if self.trouble:
                return

    def _pass_proven(self, proof: Proof) -> int:
        """How many segments, up to the proven one, are whole and continue each other."""
        proven = self.bases.index(proof.base_offset)
        for number, base in enumerate(self.bases[: proven + 1]):
            claim = proof if number == proven else self._claim_behind(number, proof)
            if claim is None or not self._pass_by(base, claim):
                return number
        self.covered = True
        return proven + 1

    def _claim_behind(self, number: int, proof: Proof) -> Proof | None:
        """What the segment behind one, or else the proof of that, says about where it ended."""
        following = self.bases[number + 1]
        if following == proof.base_offset and proof.size_bytes == 0:
            # It had no header then, as when the one before it has ended by its age.
            return Proof(following, ANY_SIZE, proof.end)
        with self._files.open(following) as file:
            try:
                header = decode_header(file.read(0, HEADER_BYTES))
            except (BatchError, OSError):
                return None
        if header.log_id != self._files.log_id or header.base_offset != following:
            return None
        return Proof(following, ANY_SIZE, LogEnd.before(header))

    def _pass_by(self, base: int, claim: Proof) -> bool:
        with self._files.open(base) as file:
            size_bytes = file.size_bytes
            if claim.size_bytes not in (size_bytes, ANY_SIZE):
                return False
            if size_bytes == 0:
                return self._pass_empty(base, claim.end)
            batch = last_batch(Window(file), size_bytes, claim.end.last_checksum)
            end = self._end_behind(batch)
        if batch is None or end is None or end[:3] != claim.end[:3]:
            return False
        self.segments.append(KnownSegment(base, size_bytes, batch.header))
        self.end = end
        return True

    def _end_behind(self, batch: Batch | None) -> LogEnd | None:
        if batch is None:
            return None
        try:
            return LogEnd.before(batch.header).step(batch.header, batch.body, self._files.log_id)
        except BatchError:
            return None

    def _pass_empty(self, base: int, end: LogEnd) -> bool:
        # It does not say what it continues: where there is one before it, that ended there.
        fits = base == end.next_offset
        if fits:
            self.segments.append(KnownSegment(base, 0, None))
            self.end = end
        return fits

    def _walk_through(self, base: int, visit: Visitor | None) -> None:
        if self.segments and base != self.end.next_offset:
            self.trouble = self._misfit(base)
            return
        with self._files.open(base) as file:
            window = Window(file)
            if self.segments and self._misses_marks(window):
                self.trouble = self._gap("the next segment continues a later batch")
            else:
                self._walk(window, base, visit)

    def _misses_marks(self, window: Window) -> bool:
        """Whether a segment continues batches without records that the one before it has not.

        A mark is not synced. When the log rolls behind it, the new segment may reach the disk
        first, and nothing in the names of the segments says that something is missing.
        """
        found = read_batch(window, 0)
        header = found.header if found is not None else None
        return (
            header is not None
            and header.log_id == self._files.log_id
            and header.base_offset == self.end.next_offset
            and header.batch_number > self.end.next_batch
        )

    def _misfit(self, base: int) -> Trouble:
        if base < self.end.next_offset:
            reason = f"it begins before offset {self.end.next_offset}, where the last one ends"
            return Trouble(base, 0, Place.FOREIGN, reason)
        return self._gap(f"the next segment begins at offset {base}")

    def _gap(self, reason: str) -> Trouble:
        last = self.segments[-1]
        return Trouble(last.base_offset, last.size_bytes, Place.GAP, reason)

    def _walk(self, window: Window, base: int, visit: Visitor | None) -> None:
        if not self.segments:
            self.end = beginning(window, base)
        position, last = 0, None
        while (found := read_batch(window, position)) is not None:
            self.trouble = self._take(found, base)
            if self.trouble or not isinstance(found, Batch):
                break
            last = found.header
            self.covered = last.record_count == 0 and last.durable_batch == last.batch_number
            self.unproven.add(base, position, last)
            if visit is not None:
                visit(base, position, last, found.body)
            position += last.batch_bytes
        self.segments.append(KnownSegment(base, position, last))

    def _take(self, found: Batch | BadPlace, base: int) -> Trouble | None:
        position, header = found.position, found.header
        try:
            if isinstance(found, Batch):
                self.end = self.end.step(found.header, found.body, self._files.log_id)
                return None
            if header is not None:
                self.end.check(header, self._files.log_id)
        except BatchError as error:
            return Trouble(base, position, Place.FOREIGN, str(error))
        return Trouble(base, position, found.place, found.reason, header)


def beginning(window: Window, base: int) -> LogEnd:
    """What the oldest segment continues: where older ones were removed, its first batch says it."""
    oldest = read_batch(window, 0)
    if base == 0 or oldest is None or oldest.header is None:
        return LogEnd(next_offset=base)
    return LogEnd.before(oldest.header)._replace(next_offset=base)
