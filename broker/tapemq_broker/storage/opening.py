"""Opening a log: recovery, and everything that a log keeps in memory."""

from contextlib import closing, suppress
from typing import NamedTuple

from tapemq.batch import Kind, LogId
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.disk import Disk, File
from tapemq_broker.storage.errors import NO_FILES_ERRORS
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.observer import Observer
from tapemq_broker.storage.paths import base_offsets, state_path
from tapemq_broker.storage.recovery import Recovered, recover
from tapemq_broker.storage.refusal import unreadable
from tapemq_broker.storage.replay import Replay
from tapemq_broker.storage.rewriting import rewrite
from tapemq_broker.storage.sealing import Ending, write_index, write_state
from tapemq_broker.storage.segment import Segment
from tapemq_broker.storage.segment_cache import SegmentCache
from tapemq_broker.storage.segment_reader import SegmentReader
from tapemq_broker.storage.survey import KnownSegment


class Claims(NamedTuple):
    """What the opener knows about a log from elsewhere; see Log.open()."""

    clean: CleanEntry | None
    durable_floor: int
    must_exist: bool


class Opened(NamedTuple):
    """A log ready for use. ``states``: the offsets that states on disk are of, in order."""

    recovered: Recovered
    segments: list[Segment]
    states: list[int]


def open_log(
    cache: SegmentCache,
    directory: str,
    log_id: LogId,
    observer: Observer | None,
    interval_bytes: int,
    claims: Claims,
    now_us: int,
) -> Opened:
    """Recover a log and bring its observer up to date. Raises as Log.open() does."""
    disk = cache.disk
    replay = Replay(disk, directory, log_id, observer, interval_bytes)
    recovered = recover(
        disk,
        directory,
        log_id,
        clean=claims.clean,
        durable_floor=claims.durable_floor,
        now_us=now_us,
        must_exist=claims.must_exist,
        visit=replay,
    )
    end = LogEnd.before(recovered.mark) if recovered.mark else recovered.end
    replay.finish(end, [segment.base_offset for segment in recovered.segments])
    segments = _segments(directory, recovered)
    states = _remove_stray_states(cache, directory, recovered) - replay.useless_states
    for segment, known in zip(segments[:-1], recovered.segments, strict=False):
        index = replay.indexes.get(segment.base_offset)
        if index is not None:
            _bring_to_disk(disk, _seal(cache, log_id, segment, known, index))
    if recovered.row is not Row.CLEAN:
        states = _bring_states_to_disk(disk, directory, states)
    last = segments[-1]
    if replay.last_state and replay.last_state[0].next_offset == last.base_offset:
        files = write_state(disk, directory, log_id, *replay.last_state)
        _bring_to_disk(disk, files)
        states |= {last.base_offset} if files else set()
    last.index = replay.indexes.get(last.base_offset) or _index_of_last(cache, log_id, last)
    # A log may have thousands of segments; their headers are of no use any more.
    recovered = recovered._replace(segments=recovered.segments[-1:])
    return Opened(recovered, segments, sorted(states))


def _segments(directory: str, recovered: Recovered) -> list[Segment]:
    segments: list[Segment] = []
    append_time_us = 0
    for known in recovered.segments:
        if segments:
            segments[-1].next_offset = known.base_offset
        segment = Segment(directory, known.base_offset, append_time_us)
        segment.size_bytes = known.size_bytes
        segment.next_offset = recovered.end.next_offset
        if known.last:
            append_time_us = segment.last_append_time_us = known.last.append_time_us
            segment.last_position = known.size_bytes - known.last.batch_bytes
        segments.append(segment)
    return segments


def _seal(
    cache: SegmentCache, log_id: LogId, segment: Segment, known: KnownSegment, index: Index
) -> list[File]:
    """Spare the next start the scan of a full segment. Recovery has synced it."""
    last = known.last
    if last is None or last.kind is Kind.GAP:
        return []
    ending = Ending(segment, LogEnd.behind(last), None)
    return write_index(cache.disk, log_id, ending, index, complete=True)


def _index_of_last(cache: SegmentCache, log_id: LogId, segment: Segment) -> Index:
    if segment.size_bytes == 0:
        return Index()
    try:
        return SegmentReader(cache, log_id, segment).load_index(wait=True)
    except OSError as error:
        base, end = segment.base_offset, segment.next_offset
        raise unreadable(segment.path, error, from_offset=base, to_offset=end) from None


def _bring_to_disk(disk: Disk, caches: list[File]) -> None:
    """At once: an idle log would keep them open until it is written to, and there may be thousands
    of logs, or of segments without an index.
    """
    for file in caches:
        with closing(file):
            disk.sync_now(file)


def _bring_states_to_disk(disk: Disk, directory: str, states: set[int]) -> set[int]:
    """They may be in the page cache only, as the end of the log may be. Returns those that were
    brought."""
    on_disk: set[int] = set()
    for offset in states:
        try:
            file = disk.open(state_path(directory, offset))
        except OSError as error:
            if error.errno in NO_FILES_ERRORS:
                raise
            continue  # nor can it be opened when it is needed: the log itself says it
        with suppress(OSError):  # the same
            rewrite(file, 0, file.size_bytes)
            on_disk.add(offset)
        _bring_to_disk(disk, [file])
    return on_disk


def _remove_stray_states(cache: SegmentCache, directory: str, recovered: Recovered) -> set[int]:
    """Remove states that no segment begins with: those of earlier clean stops. Returns the
    others."""
    wanted = {segment.base_offset for segment in recovered.segments}
    found = set(base_offsets(cache.disk.list_directory(directory), ".state"))
    for offset in found - wanted:
        with suppress(OSError):
            cache.disk.remove(state_path(directory, offset))
    return found & wanted
