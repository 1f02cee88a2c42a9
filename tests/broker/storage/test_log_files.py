import errno

from tapemq.batch import LogId, Role
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.disk_image import flipped
from tests.support.raw_log import DIRECTORY, LOG_ID, RawLog


def test_directory_that_is_not_there_is_empty() -> None:
    files = LogFiles(MemoryDisk(), DIRECTORY, LOG_ID)
    assert files.names() == []
    assert files.bases() == []


def test_segments_are_listed_by_base_offset() -> None:
    log = RawLog(MemoryDisk())
    log.data(b"a", b"b")
    log.roll()
    files = LogFiles(log.disk, DIRECTORY, LOG_ID)
    assert files.bases() == [0, 2]
    assert files.path("x") == f"{DIRECTORY}/x"
    with files.open(0) as file:
        assert file.path == files.segment_path(0)
        assert file.size_bytes == log.placed[0].end


class UnreadableDisk(MemoryDisk):
    def read_file(self, path: str) -> bytes | None:
        raise OSError(errno.EIO, "input/output error")


def test_index_that_cannot_be_read_proves_nothing() -> None:
    assert LogFiles(UnreadableDisk(), DIRECTORY, LOG_ID).seal(0) is None


def test_only_a_sound_index_of_this_segment_is_a_seal() -> None:
    log = RawLog(MemoryDisk())
    log.data(b"a", b"b")
    files = LogFiles(log.disk, DIRECTORY, LOG_ID)
    assert files.seal(0) is None
    log.seal()
    seal = files.seal(0)
    assert seal is not None
    assert (seal.size_bytes, seal.end) == (log.placed[0].end, log.end)
    assert LogFiles(log.disk, DIRECTORY, LogId(7, 1, Role.DATA)).seal(0) is None
    data = log.disk.read_file(f"{DIRECTORY}/00000000000000000000.index") or b""
    log.disk.replace_file(f"{DIRECTORY}/00000000000000000002.index", data)
    assert files.seal(2) is None
    log.disk.replace_file(f"{DIRECTORY}/00000000000000000000.index", flipped(data, 99))
    assert files.seal(0) is None
