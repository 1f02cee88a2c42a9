"""What must become of a data directory of which a file is cut, gone, longer or overwritten."""

from collections.abc import Iterator

from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.bit_flips import check_damage, missing
from tests.support.damage_outcome import NOW_US, Outcome, open_and_read
from tests.support.disk_image import make_disk
from tests.support.log_reader import read_log
from tests.support.sample_directory import (
    DATA_ID,
    Placed,
    Sample,
    Tally,
    append,
    bodies,
    open_data,
    sync,
)

SECTOR_BYTES = 512


def outcome_with(
    sample: Sample, changes: dict[str, bytes | None], durable_floor: int = 0
) -> Outcome:
    """Start with some of the files replaced, or removed where there is None."""
    image = sample.data_only() | {path: data for path, data in changes.items() if data is not None}
    for path, data in changes.items():
        if data is None:
            del image[path]
    return open_and_read(make_disk(image), sample, durable_floor=durable_floor)


def check_truncation(sample: Sample, path: str, size: int) -> str:
    """Cut a segment; returns the row, which is the one that the table demands."""
    outcome = outcome_with(sample, {path: sample.image[path][:size]})
    assert outcome.row == expected_row(sample, path, size)
    if outcome.recovered is not None:
        gone = [p for p in sample.batches if p.path == path and p.end > size]
        assert missing(sample, outcome) == [p for p in gone if p.header.record_count]
        assert outcome.errors == {}
        check_goes_on(outcome.disk)
    return outcome.row


def expected_row(sample: Sample, path: str, size: int) -> str:
    """The row for a segment that was cut to a size."""
    inside = [placed for placed in sample.batches if placed.path == path]
    is_whole = size in (0, *(placed.end for placed in inside))
    if path != sample.segments[-1]:
        if size == inside[-1].end:
            return "CLEAN" if sample.is_clean else "KEPT"
        return "MISSING_SEGMENT" if is_whole else "MISSING_BYTES"
    if sample.is_clean:
        return "CLEAN" if size == inside[-1].end else "CLEAN_MISMATCH"
    if not is_whole:
        return "TORN_SHORT"
    before = [placed.header for placed in inside if placed.end <= size]
    # Nothing of the segment is left, and the one before it is sealed; or a mark is at the end.
    if not before or (
        before[-1].record_count == 0 and before[-1].durable_batch == before[-1].batch_number
    ):
        return "COVERED"
    return "KEPT"


def check_goes_on(disk: MemoryDisk) -> None:
    """Open, append, open, append, open: everything is there, in order."""
    expected, count_and_body = None, bodies()[1]
    for round_number in range(3):
        log = open_data(disk, NOW_US + round_number, Tally(), must_exist=True)
        found = read_log(log, 1 << 20)
        if expected is not None:
            assert found == expected
        offset = append(log, *count_and_body, NOW_US + round_number)
        assert offset >= max(found, default=-1) + 1
        sync(disk, log)
        expected = read_log(log, 1 << 20)
        assert set(expected) == {*found, *range(offset, offset + count_and_body[0])}


def check_overwritten(sample: Sample, path: str, start: int, data: bytes) -> str:
    """Write other bytes over a part of a segment."""
    old = sample.image[path]
    new = old[:start] + data + old[start + len(data) :]
    if new == old:
        return "unchanged"
    changed = [
        placed
        for placed in sample.batches
        if placed.path == path and new[placed.position : placed.end] != placed.data
    ]
    outcome = outcome_with(sample, {path: new})
    if outcome.row == "MISDIRECTED":
        assert outcome.refused is not None
        return "refused"
    return check_damage(sample, outcome, changed)


def misdirected(sample: Sample) -> Iterator[tuple[Placed, Placed]]:
    """Pairs of batches of the same size: the first one may be written in place of the second."""
    for target in sample.batches:
        for source in sample.batches:
            if source is not target and len(source.data) == len(target.data):
                yield source, target


def sectors(data: bytes, size_bytes: int = SECTOR_BYTES) -> list[tuple[int, bytes]]:
    """What a failing disk writes where: zeros, ones, and the sector behind."""
    found = []
    for start in range(0, len(data), size_bytes):
        here = data[start : start + size_bytes]
        behind = data[start + size_bytes : start + 2 * size_bytes]
        found += [(start, bytes(len(here))), (start, b"\xff" * len(here))]
        if len(behind) == len(here):
            found.append((start, behind + here))
    return found


def check_deleted(sample: Sample, path: str) -> str:
    """Delete one file; returns the row."""
    outcome = outcome_with(sample, {path: None})
    if path not in sample.segments:
        assert path == "FORMAT" or missing(sample, outcome) == []
        return outcome.row
    number = sample.segments.index(path)
    if outcome.recovered is not None:
        # The oldest segment may have been removed by retention, and the newest one, where no
        # clean stop and no group says otherwise, may never have reached the disk.
        assert number in (0, len(sample.segments) - 1)
        assert {p.path for p in missing(sample, outcome)} == {path}
        check_goes_on(outcome.disk)
    return outcome.row


def check_appended(sample: Sample, path: str, data: bytes) -> str:
    """Append bytes to a segment; returns the row. All that was there must still be there."""
    outcome = outcome_with(sample, {path: sample.image[path] + data})
    if outcome.recovered is not None:
        assert missing(sample, outcome) == []
        check_goes_on(outcome.disk)
    else:
        assert outcome.refused is not None
        assert outcome.refused.segment == path or outcome.row == "MISDIRECTED"
    return outcome.row


def old_batch(sample: Sample) -> Placed:
    """A batch from the beginning of the log."""
    return next(p for p in sample.batches if p.header.log_id == DATA_ID)
