import errno

import pytest

from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.scan import WINDOW_BYTES
from tapemq_broker.storage.torn import TornName, copy_aside, move_aside, torn_names
from tests.support.disk_image import fill, take_image
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.raw_log import DIRECTORY, LOG_ID

NAME = TornName(segment_base=12, position=5, log_epoch=2, time_us=1_700_000_000_000_000)
DATA = b"sound" + bytes(range(256)) * 10_000


def make_files(data: bytes = DATA) -> LogFiles:
    files = LogFiles(MemoryDisk(), DIRECTORY, LOG_ID)
    files.disk.make_directory(DIRECTORY)
    file = files.disk.open(files.segment_path(12), create=True)
    file.append([data])
    files.disk.sync_now(file)
    return files


def test_name_says_what_was_cut_where_and_when() -> None:
    assert str(NAME) == "00000000000000000012-5-2.torn-1700000000000000"
    others = ["00000000000000000012.log", "torn.tmp", f"{NAME}.tmp", f"x{NAME}", "a/"]
    assert torn_names([str(NAME), *others]) == [NAME]


def test_copy_holds_what_follows_the_position_and_is_durable() -> None:
    files = make_files()
    with files.open(12) as file:
        aside = copy_aside(files, file, NAME)
    assert len(DATA) > 2 * WINDOW_BYTES
    assert isinstance(files.disk, MemoryDisk)
    files.disk.power_cut()
    assert aside.path == files.path(NAME)
    assert aside.size_bytes == len(DATA) - 5
    assert files.disk.read_file(aside.path) == DATA[5:]
    assert files.disk.read_file(files.segment_path(12)) == DATA
    assert files.names() == [str(NAME), "00000000000000000012.log"]


@pytest.mark.parametrize("operation", ["create", "append", "sync_now"])
def test_copy_that_fails_takes_no_room(operation: str) -> None:
    """On a full disk it would have taken what was left for others."""
    disk = FaultyDisk()
    fill(disk, take_image(make_files().disk))
    files = LogFiles(disk, DIRECTORY, LOG_ID)
    disk.fail = failing(operation, errno.ENOSPC, path="torn.tmp")
    with files.open(12) as file, pytest.raises(OSError, match=f"{operation} fails"):
        copy_aside(files, file, NAME)
    assert files.names() == ["00000000000000000012.log"]


def test_same_tail_is_copied_once() -> None:
    files = make_files()
    with files.open(12) as file:
        first = copy_aside(files, file, NAME)
        assert copy_aside(files, file, NAME._replace(time_us=99)) == first
    assert len(files.names()) == 2


def test_other_bytes_never_replace_an_earlier_copy() -> None:
    files = make_files()
    for tail in (b"", b"x", b"y"):
        with files.open(12) as file:
            file.append([tail])
            copy_aside(files, file, NAME)
    assert len(torn_names(files.names())) == 3
    with files.open(12) as file:
        copy_aside(files, file, NAME._replace(log_epoch=3))
        copy_aside(files, file, NAME._replace(position=6))
    assert len(torn_names(files.names())) == 5


def test_same_size_with_other_bytes_is_another_copy() -> None:
    files = make_files()
    with files.open(12) as file:
        copy_aside(files, file, NAME)
        file.truncate(len(DATA) - 1)
        file.append([b"?"])
        copy_aside(files, file, NAME)
    assert len(torn_names(files.names())) == 2


def test_draft_of_an_interrupted_copy_is_written_anew() -> None:
    files = make_files()
    files.disk.open(files.path("torn.tmp"), create=True).append([b"half"])
    with files.open(12) as file:
        aside = copy_aside(files, file, NAME)
    assert files.disk.read_file(aside.path) == DATA[5:]


def test_whole_segment_is_moved() -> None:
    files = make_files()
    aside = move_aside(files, NAME._replace(position=0))
    assert files.disk.read_file(aside.path) == DATA
    assert files.bases() == []


def test_moved_segment_is_on_disk_even_if_an_earlier_sync_of_it_has_failed() -> None:
    files = make_files()
    disk = files.disk
    assert isinstance(disk, MemoryDisk)
    file = disk.open(files.segment_path(12))
    file.append([b"never synced"])
    with pytest.raises(OSError, match="Input/output"):
        disk.fail_sync_now(file)
    aside = move_aside(files, NAME._replace(position=0))
    disk.sync_directory(DIRECTORY)
    disk.power_cut()
    assert disk.read_file(aside.path) == DATA + b"never synced"
