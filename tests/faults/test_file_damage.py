"""Files of a data directory that are cut, gone, longer, or overwritten by a failing disk.

What a start makes of each is decided by the recovery table, and the row is asserted. Whatever it
opens must be complete up to the cut and go on: open, append, open, append, read everything.

A test run takes samples; TEST_LONG=1 (`make faults`) takes every byte and sector.
"""

import os
from collections import Counter
from random import Random

import pytest

from tapemq_broker.storage.decision import Row
from tests.support.crashing_disk import Crash, CrashingDisk
from tests.support.damage_outcome import NOW_US
from tests.support.disk_image import fill, take_image
from tests.support.file_damage import (
    check_appended,
    check_deleted,
    check_goes_on,
    check_overwritten,
    check_truncation,
    misdirected,
    old_batch,
    outcome_with,
    sectors,
)
from tests.support.log_reader import read_log
from tests.support.proof.evidence import Evidence
from tests.support.sample_directory import Sample, Tally, build_sample, open_data

LONG = bool(os.environ.get("TEST_LONG"))

CLEAN, CRASHED = build_sample(is_clean=True), build_sample(is_clean=False)
NOTICED = ("P17", "P18")
BOTH = pytest.mark.parametrize("sample", [CLEAN, CRASHED], ids=["clean", "crashed"])

pytestmark = pytest.mark.faults


@BOTH
def test_newest_segment_cut_at_every_byte(sample: Sample, evidence: Evidence) -> None:
    path = sample.segments[-1]
    sizes = {*range(0, len(sample.image[path]) + 1, 1 if LONG else 31)}
    sizes |= {placed.end for placed in sample.batches if placed.path == path}
    evidence.note(*NOTICED, cycles=len(sizes), unit="truncations")
    rows = Counter(check_truncation(sample, path, size) for size in sorted(sizes))
    expected = {"CLEAN", "CLEAN_MISMATCH"} if sample.is_clean else {"KEPT", "COVERED", "TORN_SHORT"}
    assert set(rows) == expected


@BOTH
def test_older_segments_cut_around_every_batch(sample: Sample, evidence: Evidence) -> None:
    rows: Counter[str] = Counter()
    for path in sample.segments[:-1] if LONG else sample.segments[1:-1:2]:
        ends = {0, *(placed.end for placed in sample.batches if placed.path == path)}
        sizes = {end + shift for end in ends for shift in (-1, 0, 1)}
        for size in sorted(sizes.intersection(range(len(sample.image[path]) + 1))):
            rows[check_truncation(sample, path, size)] += 1
    evidence.note(*NOTICED, cycles=rows.total(), unit="truncations")
    opened = "CLEAN" if sample.is_clean else "KEPT"
    assert set(rows) == {opened, "MISSING_SEGMENT", "MISSING_BYTES"}


@BOTH
def test_each_file_deleted(sample: Sample, evidence: Evidence) -> None:
    evidence.note("P18", cycles=len(sample.data_only()), unit="deleted files")
    rows = {path: check_deleted(sample, path) for path in sample.data_only()}
    opened = "CLEAN" if sample.is_clean else "KEPT"
    oldest, *middle, newest = sample.segments
    special = dict.fromkeys(middle, "MISSING_SEGMENT")
    if sample.is_clean:
        special |= {oldest: "CLEAN_MISMATCH", newest: "CLEAN_MISMATCH"}
    else:
        special |= {oldest: opened, newest: "COVERED"}
    special |= {"FORMAT": "FORMAT", "CLEAN": "COVERED"}
    assert rows == {path: special.get(path, opened) for path in rows}


def test_newest_segment_deleted_though_a_group_was_in_it() -> None:
    newest = CRASHED.segments[-1]
    offset = next(p.header.base_offset for p in CRASHED.batches if p.path == newest)
    outcome = outcome_with(CRASHED, {newest: None}, durable_floor=offset + 1)
    assert outcome.row == "MISSING_BYTES"


APPENDED = {
    "a few bytes": (b"garbage", Row.TORN_SHORT, Row.MISSING_BYTES),
    "many bytes": (b"garbage" * 100, Row.TORN_LAST, Row.ROT),
    "a zero": (bytes(1), Row.TORN_ZEROS, Row.ROT),
    "zeros": (bytes(8192), Row.TORN_ZEROS, Row.ROT),
    "an old batch": (old_batch(CRASHED).data, Row.MISDIRECTED, Row.MISDIRECTED),
}


@BOTH
@pytest.mark.parametrize("what", APPENDED)
def test_bytes_appended(sample: Sample, what: str, evidence: Evidence) -> None:
    evidence.note("P18", cycles=len(sample.segments), unit="appends")
    data, newest_row, older_row = APPENDED[what]
    *older, newest = sample.segments
    expected = Row.CLEAN_MISMATCH if sample.is_clean else newest_row
    assert check_appended(sample, newest, data) == expected.name
    assert {check_appended(sample, path, data) for path in older} == {older_row.name}


@BOTH
@pytest.mark.parametrize("size_bytes", [512, 4096])
def test_sectors_zeroed_set_or_swapped(sample: Sample, size_bytes: int, evidence: Evidence) -> None:
    cycles = 0
    for path in sample.segments if LONG else sample.segments[-2:]:
        for start, data in sectors(sample.image[path], size_bytes):
            check_overwritten(sample, path, start, data)
            cycles += 1
    evidence.note(*NOTICED, cycles=cycles, unit="spoiled sectors")


@BOTH
def test_batch_written_in_the_place_of_another_one(sample: Sample, evidence: Evidence) -> None:
    pairs = list(misdirected(sample))
    assert len(pairs) > 100
    pairs = pairs if LONG else pairs[::5]
    evidence.note(*NOTICED, cycles=len(pairs), unit="misdirected writes")
    for source, target in pairs:
        outcome = check_overwritten(sample, target.path, target.position, source.data)
        assert outcome in ("refused", "error when read")


@BOTH
def test_random_bytes_anywhere(sample: Sample, evidence: Evidence) -> None:
    random, times = Random(1), 20_000 if LONG else 100
    evidence.note(*NOTICED, cycles=times, unit="random overwrites")
    for _ in range(times):
        path = random.choice(sample.segments)
        start = random.randrange(len(sample.image[path]))
        size = min(random.choice([1, 2, 3, 8, 50, 700]), len(sample.image[path]) - start)
        check_overwritten(sample, path, start, random.randbytes(size))


@BOTH
def test_segments_in_each_others_place(sample: Sample, evidence: Evidence) -> None:
    count = len(sample.segments)
    evidence.note(*NOTICED, cycles=count * (count - 1), unit="misplaced segments")
    for path in sample.segments:
        for other in sample.segments:
            if other != path:
                outcome = outcome_with(sample, {path: sample.image[other]})
                assert outcome.refused is not None
                assert outcome.row in ("MISDIRECTED", "CLEAN_MISMATCH")


def test_crash_in_recovery_after_every_truncation() -> None:
    path = CRASHED.segments[-1]
    for size in range(0, len(CRASHED.image[path]), 1 if LONG else 149):
        image = CRASHED.data_only() | {path: CRASHED.image[path][:size]}
        undisturbed = CrashingDisk()
        expected = recovered_image(undisturbed, image, None)
        for call in range(undisturbed.calls):
            disk = CrashingDisk(Random(size + call))
            with pytest.raises(Crash):
                recovered_image(disk, image, call)
            disk.crash_at = None
            disk.power_cut()
            open_data(disk, NOW_US, Tally())
            assert logs_of(take_image(disk)) == expected
        check_goes_on(undisturbed)


def recovered_image(
    disk: CrashingDisk, image: dict[str, bytes], crash_at: int | None
) -> dict[str, bytes]:
    """Open the data log, and die at a call. Returns the files, without the caches."""
    fill(disk, image)
    disk.calls, disk.crash_at = 0, crash_at
    log = open_data(disk, NOW_US, Tally())
    disk.crash_at = None
    calls = disk.calls
    read_log(log)
    disk.calls = calls
    return logs_of(take_image(disk))


def logs_of(image: dict[str, bytes]) -> dict[str, bytes]:
    """The segments and what was set aside."""
    return {path: data for path, data in image.items() if not path.endswith((".index", ".state"))}
