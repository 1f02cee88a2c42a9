import errno

import pytest

from tapemq.batch import Header
from tapemq_broker.storage.appending import follow
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.errors import LogFailed, LogFull, NoFiles
from tapemq_broker.storage.segment import Segment
from tapemq_broker.storage.segment_cache import SegmentCache
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.logs import DIRECTORY, LOG_ID, batch_of


class Setup:
    def __init__(self) -> None:
        self.disk = FaultyDisk()
        self.disk.make_directory(DIRECTORY)
        self.cache = SegmentCache(self.disk, files_max=0)
        self.segment = Segment(DIRECTORY, 10, append_time_us=3)
        self.end = LogEnd(next_offset=10)

    def append(self, value: bytes) -> Header:
        batch = batch_of(value)
        new = follow(self.end, self.end, LOG_ID, batch, now_us=5)
        self.segment.append(self.cache, new.header, (new.head, batch.body))
        self.end = new.end
        return new.header


@pytest.fixture
def setup() -> Setup:
    setup = Setup()
    setup.segment.create(setup.cache)
    return setup


def test_paths_come_from_the_base_offset() -> None:
    segment = Segment("a/b.log", 10, append_time_us=3)
    assert segment.path == "a/b.log/00000000000000000010.log"
    assert segment.index_path == "a/b.log/00000000000000000010.index"
    assert segment.all_paths == (
        "a/b.log/00000000000000000010.index",
        "a/b.log/00000000000000000010.state",
        "a/b.log/00000000000000000010.log",
    )


def test_a_new_segment_is_empty_but_not_on_disk(setup: Setup) -> None:
    assert setup.segment.info() == (10, 10, 0, 3)
    assert setup.segment.is_dirty
    setup.segment.mark_synced(setup.segment.changes)
    assert not setup.segment.is_dirty


def test_an_append_is_one_write_that_moves_the_end(setup: Setup) -> None:
    first = setup.append(b"a")
    second = setup.append(b"b")
    size_bytes = first.batch_bytes + second.batch_bytes
    assert setup.segment.info() == (10, 12, size_bytes, 5)
    assert setup.segment.last_position == first.batch_bytes
    assert setup.disk.size_bytes(setup.segment.path) == size_bytes


def test_a_sync_covers_what_it_began_with(setup: Setup) -> None:
    setup.append(b"a")
    changes = setup.segment.changes
    setup.append(b"b")
    setup.segment.mark_synced(changes)
    assert setup.segment.is_dirty
    setup.segment.mark_synced(setup.segment.changes)
    assert not setup.segment.is_dirty


def test_a_dirty_file_stays_open(setup: Setup) -> None:
    setup.append(b"a")
    assert setup.cache.file_if_open(setup.segment.path) is not None
    setup.segment.mark_synced(setup.segment.changes)
    assert setup.cache.file_if_open(setup.segment.path) is None


def test_a_failed_append_leaves_the_segment_as_it_was(setup: Setup) -> None:
    setup.append(b"a")
    before = setup.segment.info(), setup.segment.last_position
    for number, error in ((errno.ENOSPC, LogFull), (errno.EIO, LogFailed)):
        setup.disk.fail = failing("append", number)
        with pytest.raises(error, match="append fails"):
            setup.append(b"b")
        assert (setup.segment.info(), setup.segment.last_position) == before
        assert setup.disk.size_bytes(setup.segment.path) == setup.segment.size_bytes


def test_a_file_that_cannot_be_made(setup: Setup) -> None:
    for number, error in (
        (errno.EDQUOT, LogFull),
        (errno.EMFILE, NoFiles),
        (errno.ENFILE, NoFiles),
        (errno.EIO, LogFailed),
    ):
        setup.disk.fail = failing("create", number)
        with pytest.raises(error, match="create fails"):
            Segment(DIRECTORY, 20, append_time_us=3).create(setup.cache)


def test_a_file_that_cannot_be_opened(setup: Setup) -> None:
    setup.append(b"a")
    setup.segment.mark_synced(setup.segment.changes)
    for number, error in ((errno.EMFILE, NoFiles), (errno.ENOENT, LogFailed)):
        setup.disk.fail = failing("open", number)
        with pytest.raises(error, match="open fails"):
            setup.append(b"b")
    setup.disk.fail = lambda operation, path: None
    assert setup.append(b"b").base_offset == 11


def test_a_file_of_another_size_is_refused(setup: Setup) -> None:
    segment = Segment(DIRECTORY, 10, append_time_us=3)
    segment.size_bytes = 1
    with pytest.raises(LogFailed, match="has 0 bytes where 1"):
        segment.hold(setup.cache)
