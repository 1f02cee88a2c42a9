"""Opening a log after a stop or a crash: look, decide by the table, then do what the row says.

A crash at any point in here is harmless: what is done is done in an order in which the next
recovery finds the same case again, or the rest of it. What is cut off is first copied aside and
synced; then whole segments behind the cut are renamed; then the file is cut; then a mark in a new
log epoch says that it happened. Where the row refuses, nothing at all is written.

What is accepted is on disk afterwards. A sync alone does not see to that: after an earlier one that
failed, Linux calls the pages clean, and shows them all the same. So everything that is not proven
to be on disk is written again, where it is, before the sync (docs/adr/0005-failed-syncs.md).
"""

from typing import NamedTuple

from tapemq.batch import Header, LogId
from tapemq_broker.storage.appending import MARK, Follower, follow
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.diagnosis import Claims, Diagnosis, diagnose
from tapemq_broker.storage.disk import Disk, File
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.observer import Visitor
from tapemq_broker.storage.paths import base_offset_of
from tapemq_broker.storage.refusal import is_full, no_room, refusal, unreadable
from tapemq_broker.storage.repair_note import REPAIR_NOTE
from tapemq_broker.storage.rewriting import check_again, rewrite
from tapemq_broker.storage.survey import KnownSegment
from tapemq_broker.storage.torn import SetAside, TornName, copy_aside, move_aside


class Recovered(NamedTuple):
    """A log that may be opened. All of it is on disk.

    The last of ``segments`` is the one to append to, ``end`` is where it goes on. The visitor has
    seen every batch from segment ``tail_base`` on (None: there was nothing to scan), except the
    ``mark`` that recovery itself may have appended at the end. ``cut`` names the files that hold
    what was cut off, with offsets from ``cut_from`` up to ``cut_upto`` as far as they are known.
    ``rewritten_bytes`` were accepted, but not provably on disk before.
    """

    row: Row
    segments: list[KnownSegment]
    end: LogEnd
    tail_base: int | None
    mark: Header | None = None
    cut: tuple[SetAside, ...] = ()
    cut_from: int = 0
    cut_upto: int = 0
    rewritten_bytes: int = 0


def recover(
    disk: Disk,
    directory: str,
    log_id: LogId,
    *,
    clean: CleanEntry | None,
    durable_floor: int,
    now_us: int,
    must_exist: bool = False,
    visit: Visitor | None = None,
) -> Recovered:
    """Make a log ready for appending, or refuse.

    Every offset below ``durable_floor`` is known to have been on disk. ``must_exist``: the caller
    knows that the log was made once, so an absent one is refused. Raises LogRefused, with nothing
    changed unless the disk is full; OSError when the disk fails, which must end the process.
    """
    files = LogFiles(disk, directory, log_id)
    try:
        diagnosis = diagnose(files, Claims(clean, durable_floor, must_exist), visit)
    except OSError as error:
        raise unreadable(directory, error) from None
    if diagnosis.row.refuses:
        raise refusal(files, diagnosis)
    return _Recovery(files, diagnosis, now_us).run()


class _Recovery:
    """Does what an accepted row says."""

    def __init__(self, files: LogFiles, diagnosis: Diagnosis, now_us: int) -> None:
        self._files = files
        self._disk = files.disk
        self._row = diagnosis.row
        self._survey = diagnosis.survey
        self._diagnosis = diagnosis
        self._now_us = now_us

    def run(self) -> Recovered:
        survey = self._survey
        recovered = Recovered(self._row, survey.segments, survey.end, survey.tail_base)
        if self._row is Row.CLEAN:
            return recovered
        self._remove_leftovers()
        if self._row.cuts:
            cut = self._cut()
            end, upto = survey.end.next_offset, self._diagnosis.lost_upto
            recovered = recovered._replace(cut=cut, cut_from=end, cut_upto=upto)
        elif survey.is_empty:
            self._make_log()
        recovered = recovered._replace(rewritten_bytes=self._bring_to_disk())
        mark = self._mark()
        return self._with_mark(recovered, mark) if mark else recovered

    def _remove_leftovers(self) -> None:
        """Remove drafts, and caches of what is or will be cut off: they might fit one day."""
        for name in filter(self._is_leftover, self._files.names()):
            self._disk.remove(self._files.path(name))

    def _is_leftover(self, name: str) -> bool:
        index = base_offset_of(name, ".index")
        state = base_offset_of(name, ".state")
        return (
            name.endswith(".tmp")
            or name == REPAIR_NOTE
            or (index is not None and not self._fits(index))
            or (state is not None and state > self._survey.end.next_offset)
        )

    def _fits(self, index_base: int) -> bool:
        """Whether an index describes no more than there is (marks may have been cut off)."""
        base, size_bytes = self._survey.segments[-1][:2] if self._survey.segments else (0, 0)
        seal = self._files.seal(index_base) if index_base == base else None
        return seal.size_bytes <= size_bytes if seal else index_base < base

    def _make_log(self) -> None:
        """Also where it is there already: its directory may not be durable yet."""
        self._disk.make_directory(self._files.directory)
        if not self._survey.bases:
            self._disk.open(self._files.segment_path(0), create=True).close()
            self._survey.segments.append(KnownSegment(0, 0, None))

    def _cut(self) -> tuple[SetAside, ...]:
        """Set everything behind the sound part aside, newest first."""
        last = self._survey.segments[-1]
        later = [base for base in self._survey.bases if base > last.base_offset]
        moved = [self._move_aside(base) for base in reversed(later)]
        self._disk.sync_directory(self._files.directory)
        with self._files.open(last.base_offset) as file:
            if file.size_bytes > last.size_bytes:
                moved.append(self._cut_off(file, last))
        return tuple(reversed(moved))

    def _move_aside(self, base: int) -> SetAside:
        try:
            return move_aside(self._files, self._torn_name(base, 0))
        except OSError as error:
            self._refuse_if_full(error)
            raise

    def _cut_off(self, file: File, last: KnownSegment) -> SetAside:
        wanted = self._torn_name(last.base_offset, last.size_bytes)
        try:
            copy = copy_aside(self._files, file, wanted)
        except OSError as error:
            self._refuse_if_full(error)
            raise
        file.truncate(last.size_bytes)
        return copy

    def _torn_name(self, base: int, position: int) -> TornName:
        return TornName(base, position, self._diagnosis.next_epoch, self._now_us)

    def _bring_to_disk(self) -> int:
        """What was accepted may be in the page cache only: bring it to the disk, names too.

        Returns how many bytes had to be written again.
        """
        first, size_bytes = self._survey.tail_base, 0
        starts = self._survey.unproven.starts()
        for segment in self._survey.segments:
            is_last = segment is self._survey.segments[-1]
            if is_last or (first is not None and segment.base_offset >= first):
                with self._files.open(segment.base_offset) as file:
                    start = starts.get(segment.base_offset, segment.size_bytes)
                    size_bytes += self._rewrite(file, start, segment.size_bytes)
                    self._disk.sync_now(file)
                    check_again(file, start, segment, self._files.log_id)
        self._disk.sync_directory(self._files.directory)
        return size_bytes

    def _rewrite(self, file: File, start: int, stop: int) -> int:
        try:
            return rewrite(file, start, stop)
        except OSError as error:
            self._refuse_if_full(error)
            raise

    def _refuse_if_full(self, error: OSError) -> None:
        if is_full(error):
            raise no_room(self._files, self._diagnosis, error) from error

    def _mark(self) -> Follower | None:
        """Append a batch that says that everything before it is on disk, in which log epoch.

        Without a cut it is no more than a proof: on a full disk the log opens without one.
        """
        raises_epoch = self._row.cuts or self._row is Row.FINISHED_CUT
        if not raises_epoch and self._row is not Row.KEPT:
            return None
        end = self._survey.end
        if raises_epoch:
            end = end._replace(log_epoch=self._diagnosis.next_epoch)
        mark = follow(end, end, self._files.log_id, MARK, self._now_us)
        with self._files.open(self._survey.segments[-1].base_offset) as file:
            size_bytes = file.size_bytes
            try:
                file.append([mark.head])
            except OSError as error:
                if not is_full(error):
                    raise
                file.truncate(size_bytes)
                self._disk.sync_now(file)  # or half of the mark could lie in front of what follows
                if raises_epoch:
                    self._refuse_if_full(error)
                return None
            self._disk.sync_now(file)
        return mark

    def _with_mark(self, recovered: Recovered, mark: Follower) -> Recovered:
        last = recovered.segments[-1]
        header = mark.header._replace(header_checksum=mark.end.last_checksum)
        grown = KnownSegment(last.base_offset, last.size_bytes + header.batch_bytes, header)
        segments = [*recovered.segments[:-1], grown]
        return recovered._replace(segments=segments, end=mark.end, mark=header)
