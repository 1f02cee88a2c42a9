"""Repairing a log that recovery refuses: an operator gives up what is lost, and keeps the rest.

*Truncate* keeps what is in front of the first bad place. *Salvage* keeps every sound batch; where
some are missing, a gap stands in the log and names the offsets and the reason. Offsets are given
out once: the log goes on behind everything that is known to have been there. All that is taken
out of the log is kept aside, as recovery does.

A crash on the way loses nothing: a note says up to where offsets were given out, old segments are
copied, and only then replaced by renaming. Run the repair again.
"""

import errno
from typing import Final, NamedTuple

from tapemq_broker.storage.clean import look_at_clean, write_clean
from tapemq_broker.storage.decision import Place, Row
from tapemq_broker.storage.diagnosis import Claims, Diagnosis, diagnose
from tapemq_broker.storage.directory import DataDirectory, LogPlace
from tapemq_broker.storage.disk import File
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.paths import base_offset_of
from tapemq_broker.storage.refusal import refusal, unreadable
from tapemq_broker.storage.repair_note import remove_repair_note, write_repair_note
from tapemq_broker.storage.repair_plan import Hole, Mode, Output, Plan, Planner, needs_repair
from tapemq_broker.storage.rewriting import rewrite
from tapemq_broker.storage.scan import WINDOW_BYTES
from tapemq_broker.storage.stretches import Stretch, stretches
from tapemq_broker.storage.torn import SetAside, TornName, copy_aside, move_aside, written_draft

_DRAFT: Final = "repair.tmp"


class RepairReport(NamedTuple):
    """What a repair does, or would do: ``is_done`` says which.

    ``holes`` are the offsets given up; the log goes on at ``next_offset``. Without holes there was
    nothing to give up, or nothing tells what. ``set_aside`` are the files with what was taken out.
    ``is_made_anew``: nothing was there of a log that must exist.
    """

    holes: list[Hole]
    next_offset: int
    set_aside: list[SetAside]
    is_done: bool
    is_made_anew: bool = False


def repair(
    directory: DataDirectory,
    place: LogPlace,
    mode: Mode,
    *,
    confirm: bool,
    now_us: int,
    durable_floor: int = 0,
) -> RepairReport:
    """Repair a log of a directory that was opened offline for writing.

    Without ``confirm``, only says what it would do. Every offset below ``durable_floor`` is known
    to have been on disk (a group's position says so). Raises LogRefused for what a repair cannot
    help: a newer format, a disk that cannot be read. Raises OSError.
    """
    files = LogFiles(directory.disk, place.path, place.log_id)
    clean = look_at_clean(directory.disk).entries
    claims = Claims(clean.get(place.log_id), durable_floor, must_exist=True)
    diagnosis = diagnose(files, claims)
    if diagnosis.row in (Row.NEWER_FORMAT, Row.UNREADABLE):
        raise refusal(files, diagnosis)
    found = list(stretches(files))
    _check_readable(files, found)
    if not needs_repair(diagnosis, found):
        return RepairReport([], diagnosis.survey.end.next_offset, [], is_done=confirm)
    planner = Planner(files.log_id, _next_epoch(diagnosis, found), now_us)
    plan = planner.plan(found, mode, _known_upto(diagnosis, found))
    set_aside: list[SetAside] = []
    if confirm:
        write_repair_note(files, plan.end.next_offset)
        if clean.pop(place.log_id, None):
            write_clean(directory.disk, clean.values())
        set_aside = _Repair(files, plan, now_us).run()
        remove_repair_note(files)
    end = plan.end.next_offset
    return RepairReport(plan.holes, end, set_aside, confirm, is_made_anew=not found)


def _check_readable(files: LogFiles, found: list[Stretch]) -> None:
    """What the disk does not give today is not given up: nor could it be kept aside."""
    for stretch in found:
        if stretch.place is Place.UNREADABLE:
            path, offset = files.segment_path(stretch.segment_base), stretch.before.next_offset
            reason = OSError(stretch.reason)
            raise unreadable(path, reason, from_offset=offset, to_offset=offset)


def _next_epoch(diagnosis: Diagnosis, found: list[Stretch]) -> int:
    return max(diagnosis.next_epoch, *(stretch.after.log_epoch + 1 for stretch in found), 1)


def _known_upto(diagnosis: Diagnosis, found: list[Stretch]) -> int:
    """Offsets below this were given out, as far as anything says so."""
    # What is lost at the first bad place may end before what is known to have been at the end.
    seen = (stretch.after.next_offset for stretch in found)
    return max(diagnosis.lost_upto, diagnosis.known_upto, *seen, 0)


class _Repair:
    """Carries a plan out."""

    def __init__(self, files: LogFiles, plan: Plan, now_us: int) -> None:
        self._files = files
        self._disk = files.disk
        self._plan = plan
        self._now_us = now_us

    def run(self) -> list[SetAside]:
        self._remove_caches()
        bases = self._files.bases()
        aside = [item for output in self._plan.outputs for item in self._write(output, bases)]
        kept = {output.base_offset for output in self._plan.outputs}
        aside += [
            move_aside(self._files, self._torn_name(base))
            for base in reversed(bases)
            if base not in kept
        ]
        self._disk.sync_directory(self._files.directory)
        return aside

    def _torn_name(self, base: int) -> TornName:
        return TornName(base, 0, self._plan.end.log_epoch, self._now_us)

    def _remove_caches(self) -> None:
        """Remove what was derived from the log as it was. It is made anew at the next start."""
        holes = self._plan.holes
        sound_upto = holes[0].from_offset if holes else self._plan.end.next_offset
        for name in self._files.names():
            state = base_offset_of(name, ".state")
            if name.endswith((".index", ".tmp")) or (state is not None and state > sound_upto):
                self._disk.remove(self._files.path(name))
        self._disk.sync_directory(self._files.directory)

    def _write(self, output: Output, bases: list[int]) -> list[SetAside]:
        if output.base_offset not in bases:
            self._write_anew(output, None)
            return []
        with self._files.open(output.base_offset) as source:
            first = output.items[0]
            if isinstance(first, Stretch) and first.stop - first.start == source.size_bytes:
                # Only the last two segments may be in the page cache alone: see log.py.
                in_doubt = output.base_offset in bases[-2:]
                self._append(source, output, in_doubt=in_doubt)
                return []
            aside = copy_aside(self._files, source, self._torn_name(output.base_offset))
            self._write_anew(output, source)
        return [aside]

    def _append(self, source: File, output: Output, *, in_doubt: bool) -> None:
        """Add gaps and marks. They say that all before them is on disk: so it must be."""
        marks = [item.data for item in output.items if not isinstance(item, Stretch)]
        if in_doubt:
            rewrite(source, 0, source.size_bytes)
        if marks:
            source.append(marks)
        if marks or in_doubt:
            self._disk.sync_now(source)

    def _write_anew(self, output: Output, source: File | None) -> None:
        draft = self._files.path(_DRAFT)
        with written_draft(self._disk, draft) as target:
            for item in output.items:
                if isinstance(item, Stretch):
                    _copy(source, target, item)
                else:
                    target.append([item.data])
        self._disk.rename(draft, self._files.segment_path(output.base_offset))
        self._disk.sync_directory(self._files.directory)


def _copy(source: File | None, target: File, stretch: Stretch) -> None:
    position = stretch.start
    while source is not None and position < stretch.stop:
        piece = source.read(position, min(WINDOW_BYTES, stretch.stop - position))
        if not piece:
            raise OSError(errno.EIO, "the file became shorter while it was copied", source.path)
        target.append([piece])
        position += len(piece)
