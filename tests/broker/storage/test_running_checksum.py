import errno
from itertools import pairwise
from random import Random

import pytest

from tapemq.batch import checksum
from tapemq_broker.storage import running_checksum
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.running_checksum import RunningChecksum

DATA = Random(1).randbytes(5000)


class HalfReadableFile(MemoryFile):
    """Counts what is read; the disk does not give what is behind ``readable_bytes``."""

    readable_bytes = len(DATA)
    got_bytes = 0

    def read(self, position: int, size_bytes: int) -> bytes:
        if position + size_bytes > self.readable_bytes:
            raise OSError(errno.EIO, "input/output error")
        self.got_bytes += size_bytes
        return super().read(position, size_bytes)


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> HalfReadableFile:
    monkeypatch.setattr(running_checksum, "_STEP_BYTES", 64)
    monkeypatch.setattr(running_checksum, "_READ_STEPS", 4)
    file = HalfReadableFile("x", MemoryDisk().open("x", create=True).content, None)
    file.append([DATA])
    return file


@pytest.mark.parametrize("start", [0, 1, 100])
def test_it_is_that_of_the_bytes(file: HalfReadableFile, start: int) -> None:
    sums = RunningChecksum(file, start)
    places = [start, start + 1, start + 63, start + 64, start + 65, 1000, 4096, 4999, 5000]
    for first in reversed(places):
        for stop in places:
            if first <= stop:
                assert sums.of(first, stop) == checksum(DATA[first:stop])


def test_the_file_is_read_about_once(file: HalfReadableFile) -> None:
    sums = RunningChecksum(file, 0)
    for first in range(4900):
        sums.of(first, 5000)
    steps_bytes = 4900 * 2 * 64
    assert file.got_bytes < len(DATA) + steps_bytes


def test_what_is_behind_the_bytes_is_not_read(file: HalfReadableFile) -> None:
    file.readable_bytes = 1000
    sums = RunningChecksum(file, 0)
    for first, stop in pairwise(range(0, 1001, 100)):
        assert sums.of(first, stop) == checksum(DATA[first:stop])
    with pytest.raises(OSError, match="input/output"):
        sums.of(900, 1001)
    assert sums.of(0, 1000) == checksum(DATA[:1000])
