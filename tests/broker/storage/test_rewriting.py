import errno

import pytest

from tapemq_broker.storage.disk import Buffer
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.rewriting import check_again, rewrite
from tapemq_broker.storage.scan import WINDOW_BYTES
from tapemq_broker.storage.survey import KnownSegment
from tests.support.raw_log import LOG_ID, RawLog


class NotingFile(MemoryFile):
    """Notes what is written again."""

    def __init__(self, file: MemoryFile) -> None:
        super().__init__(file.path, file.content, file.new_in)
        self.rewritten: list[tuple[int, int]] = []

    def rewrite(self, position: int, data: Buffer) -> None:
        self.rewritten.append((position, len(data)))
        super().rewrite(position, data)


def file_of(data: bytes) -> NotingFile:
    disk = MemoryDisk()
    disk.replace_file("f", data)
    return NotingFile(disk.open("f"))


def test_bytes_are_written_as_they_are_in_pieces_that_share_no_page() -> None:
    data = bytes(range(256)) * (WINDOW_BYTES // 100)
    file = file_of(data)
    assert rewrite(file, 10, len(data)) == len(data) - 10
    assert file.content.now == data
    rest = len(data) - 2 * WINDOW_BYTES
    assert file.rewritten == [
        (10, WINDOW_BYTES - 10),
        (WINDOW_BYTES, WINDOW_BYTES),
        (2 * WINDOW_BYTES, rest),
    ]
    assert b"".join(write.data or b"" for write in file.content.pending) == data[10:]


def test_nothing_is_written_where_nothing_is_asked_for() -> None:
    file = file_of(b"abc")
    assert rewrite(file, 3, 3) == 0
    assert file.rewritten == []


def test_a_file_that_became_shorter_is_a_failed_disk() -> None:
    with pytest.raises(OSError, match="not on the disk") as caught:
        rewrite(file_of(b"abc"), 0, 4)
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, "f")


@pytest.fixture
def log() -> RawLog:
    log = RawLog(MemoryDisk())
    for number in range(3):
        log.data(b"value %d" % number)
    return log


def known_of(log: RawLog) -> KnownSegment:
    last = log.placed[-1]
    return KnownSegment(0, last.end, last.header)


def test_batches_that_are_still_there_pass(log: RawLog) -> None:
    file = log.disk.open(log.path)
    for placed in log.placed:
        check_again(file, placed.position, known_of(log), LOG_ID)
    check_again(file, file.size_bytes, known_of(log), LOG_ID)


def test_an_empty_segment_passes() -> None:
    check_again(file_of(b""), 0, KnownSegment(0, 0, None), LOG_ID)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_batches_that_are_not_there_any_more_are_a_failed_disk(log: RawLog, number: int) -> None:
    file = log.disk.open(log.path)
    file.rewrite(log.placed[number].position, b"\0" * 8)
    with pytest.raises(OSError, match="not on the disk"):
        check_again(file, 0, known_of(log), LOG_ID)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_other_batches_than_those_that_were_seen_are_a_failed_disk(
    log: RawLog, number: int
) -> None:
    other = RawLog(MemoryDisk())
    for _ in log.placed:
        other.data(b"other %d" % number)
    file, placed = log.disk.open(log.path), other.placed[number]
    assert placed.position == log.placed[number].position
    file.rewrite(placed.position, placed.data)
    with pytest.raises(OSError, match="not on the disk"):
        check_again(file, 0, known_of(log), LOG_ID)


def test_another_log_of_the_same_shape_is_a_failed_disk(log: RawLog) -> None:
    other = RawLog(MemoryDisk())
    for number in range(3):
        other.data(b"other %d" % number)
    with pytest.raises(OSError, match="not on the disk"):
        check_again(other.disk.open(other.path), 0, known_of(log), LOG_ID)


def test_what_only_the_page_cache_holds_is_not_there(log: RawLog) -> None:
    disk = log.disk
    assert isinstance(disk, MemoryDisk)
    file = disk.open(log.path)
    with pytest.raises(OSError, match="Input/output"):
        disk.fail_sync_now(file)
    with pytest.raises(OSError, match="not on the disk"):
        check_again(file, 0, known_of(log), LOG_ID)
