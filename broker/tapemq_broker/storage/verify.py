"""Checking every byte of a data directory that no broker uses. Changes nothing."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tapemq.batch import Role
from tapemq_broker.storage.boot_epoch import BOOT_PATH, look_at_boot_epoch
from tapemq_broker.storage.clean import CLEAN_PATH, look_at_clean
from tapemq_broker.storage.diagnosis import Claims, diagnose
from tapemq_broker.storage.directory import CATALOG_PLACE, DataDirectory, LogPlace, in_order
from tapemq_broker.storage.errors import repair_command
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.known_logs import KnownLogs, noted_logs
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.paths import base_offsets, index_path
from tapemq_broker.storage.refusal import refusal
from tapemq_broker.storage.scan import Batch
from tapemq_broker.storage.stretches import Stretch, stretches

Progress = Callable[[int], object]
"""Called now and then with the number of bytes checked since the last call."""

DurableFloor = Callable[[LogPlace], int]
"""Below which offset all of a log was on disk, as far as others say so: see Claims."""


class Problem(NamedTuple):
    """Something that is not as it should be.

    ``segment`` is the path of the file, ``position`` the byte in it; offsets ``from_offset`` up to
    ``to_offset`` cannot be read. ``is_harmless``: no record is lost.
    """

    log: str
    segment: str
    position: int
    from_offset: int
    to_offset: int
    problem: str
    advice: str
    is_harmless: bool = False


_NOTHING_TO_DO = "nothing to do: it is made anew when it is needed"


def verify(
    directory: DataDirectory,
    progress: Progress | None = None,
    known: KnownLogs | None = None,
    durable_floor: DurableFloor = lambda place: 0,
) -> Iterator[Problem]:
    """Check every log, whole. Yields what is wrong, as it is found. Raises OSError.

    ``known``: what the catalog knows, if that matters; where the catalog is damaged it does not,
    for then it may have known more, or what it has forgotten since.
    """
    clean = look_at_clean(directory.disk)
    if clean.complaint:
        advice = "nothing to do: the next start takes longer"
        yield Problem("", CLEAN_PATH, 0, 0, 0, clean.complaint, advice, is_harmless=True)
    boot = look_at_boot_epoch(directory.disk)
    if boot.complaint:
        advice = "nothing to do: the catalog says it, too"
        yield Problem("", BOOT_PATH, 0, 0, 0, boot.complaint, advice, is_harmless=True)

    def problems(place: LogPlace, *, must_exist: bool) -> Iterator[Problem]:
        claims = Claims(clean.entries.get(place.log_id), durable_floor(place), must_exist)
        return _Verification(directory, place, claims, progress).run()

    must_exist = known is not None and directory.has_topics
    for problem in problems(CATALOG_PLACE, must_exist=must_exist):
        yield problem
        if not problem.is_harmless:
            known = None
    made = set(known.logs if known is not None else noted_logs(directory, clean))
    deleted = known.deleted if known is not None else ()
    unreadable = dict(directory.unreadable_topics())
    for path, error in unreadable.items():
        if path not in deleted:
            yield _unreadable(path, error)
    passed_over = unreadable.keys() | deleted
    for place in in_order(made.union(directory.logs()) - {CATALOG_PLACE}):
        if place.path.rpartition("/")[0] not in passed_over:
            yield from problems(place, must_exist=place in made)
    if known is not None:
        for path in directory.unknown_topics(known.topics):
            if path not in passed_over:
                yield _unknown_topic(directory, path)
        yield from _unknown_partitions(directory, known)


def _unreadable(path: str, error: OSError) -> Problem:
    return Problem(path, path, 0, 0, 0, f"it cannot be read: {error}", "check the disk")


def _unknown_partitions(directory: DataDirectory, known: KnownLogs) -> Iterator[Problem]:
    """No broker reads them. One without records is left by a crash that met a topic's change."""
    topics = {place.path.rpartition("/")[0] for place in known.logs}
    for place in in_order(set(directory.logs()).difference(known.logs)):
        if place.log_id.role is Role.DATA and place.path.rpartition("/")[0] in topics:
            has_records = _has_records(directory, place)
            problem = "the catalog knows no such partition of the topic"
            problem += ", but there are records in it" if has_records else "; there is no record"
            advice = f"have it made again: tapemq topic alter {place.topic} --partitions NUMBER"
            yield Problem(
                place.path, place.path, 0, 0, 0, problem, advice, is_harmless=not has_records
            )


def _unknown_topic(directory: DataDirectory, path: str) -> Problem:
    """No broker reads it. Without records it is what a crash leaves that met a topic's making."""
    logs = [place for place in directory.logs() if place.path.startswith(f"{path}/")]
    if any(_has_records(directory, place) for place in logs):
        problem = "the catalog knows no such topic, but there are records in it"
        advice = (
            "restore the data directory from a copy, of which the catalog knows it; or keep a copy "
            "and remove it by hand"
        )
        return Problem(path, path, 0, 0, 0, problem, advice)
    problem = "the catalog knows no such topic; there is no record in it"
    advice = "remove it by hand: a topic was being created when the broker ended"
    return Problem(path, path, 0, 0, 0, problem, advice, is_harmless=True)


def _has_records(directory: DataDirectory, place: LogPlace) -> bool:
    found = stretches(LogFiles(directory.disk, place.path, place.log_id))
    return any(not stretch.is_sound or stretch.after.next_offset > 0 for stretch in found)


class _Verification:
    """The check of one log."""

    def __init__(
        self,
        directory: DataDirectory,
        place: LogPlace,
        claims: Claims,
        progress: Progress | None,
    ) -> None:
        self._files = LogFiles(directory.disk, place.path, place.log_id)
        self._claims = claims
        self._progress = progress
        self._last: Stretch | None = None
        self._bad: Stretch | None = None
        # Where recovery will cut: segment and position.
        self._torn_from: tuple[int, int] | None = None

    def run(self) -> Iterator[Problem]:
        try:
            diagnosis = diagnose(self._files, self._claims)
        except OSError as failure:  # the others are checked all the same
            yield _unreadable(self._files.directory, failure)
            return
        if diagnosis.row.cuts and diagnosis.survey.trouble:
            self._torn_from = diagnosis.survey.trouble[:2]
        found = 0
        for problem in self._holes():
            found += 1
            yield problem
        if diagnosis.row.refuses and not found:
            error = refusal(self._files, diagnosis)
            yield Problem(
                self._files.directory,
                error.segment,
                error.position,
                error.from_offset,
                error.to_offset,
                error.reason,
                error.advice,
            )
        yield from self._damaged_caches()

    def _holes(self) -> Iterator[Problem]:
        for stretch in stretches(self._files, self._count):
            if not stretch.is_sound:
                self._bad = self._bad or stretch
                continue
            last = self._last
            is_late = last.after[:3] != stretch.before[:3] if last else stretch.starts_late
            if self._bad is not None or is_late:
                yield self._hole(stretch)
            self._last, self._bad = stretch, None
        if self._bad is not None:
            yield self._hole(None)

    def _count(self, segment_base: int, batch: Batch) -> None:
        if self._progress is not None:
            self._progress(batch.header.batch_bytes)

    def _hole(self, following: Stretch | None) -> Problem:
        """What lies between the last sound stretch and the following one."""
        bad, last = self._bad, self._last
        if bad is not None:
            base, position, reason = bad.segment_base, bad.start, bad.reason
            from_offset = bad.before.next_offset
        else:
            base, position, reason = 0, 0, "what the segment should begin with is missing"
            from_offset = 0
            if last is not None:
                base, position, from_offset = last.segment_base, last.stop, last.after.next_offset
                reason = "a segment behind this one is missing"
            elif following is not None:
                base = from_offset = following.segment_base
        is_torn = self._torn_from is not None and (base, position) >= self._torn_from
        return Problem(
            self._files.directory,
            self._files.segment_path(base),
            position,
            from_offset,
            following.before.next_offset if following else from_offset,
            reason,
            self._advice(is_torn),
            is_harmless=is_torn,
        )

    def _advice(self, is_torn: bool) -> str:
        if is_torn:
            return "nothing to do: never acknowledged, and set aside at the next start"
        command = repair_command(self._files.directory)
        return (
            f"restore it from a copy, or keep a copy and run: {command} --mode salvage (keeps "
            "every sound batch), or --mode truncate (keeps what is in front of the damage); "
            "without --yes it only says what would go"
        )

    def _damaged_caches(self) -> Iterator[Problem]:
        for base in base_offsets(self._files.names(), ".index"):
            path = index_path(self._files.directory, base)
            problem = self._cache_problem(path)
            if problem:
                log = self._files.directory
                yield Problem(log, path, 0, 0, 0, problem, _NOTHING_TO_DO, is_harmless=True)

    def _cache_problem(self, path: str) -> str:
        try:
            data = self._files.disk.read_file(path)
        except OSError as error:
            return f"the index cannot be read: {error}"
        return "the index is damaged" if Index.decode(data or b"") is None else ""
