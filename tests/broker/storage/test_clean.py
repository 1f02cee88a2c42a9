import errno
import os
from pathlib import Path

import pytest

from tapemq.batch import LogId, Role, checksum
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.clean import (
    CLEAN_PATH,
    CleanEntry,
    CleanState,
    look_at_clean,
    read_clean,
    remove_clean,
    write_clean,
)
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.disk_image import flipped
from tests.support.faulty_disk import FaultyDisk, failing

FIRST = CleanEntry(
    LogId(0, 0, Role.CATALOG), 0, 0, 4096, 12, 3, 0xDEADBEEF, 1, 1_700_000_000_000_000
)
SECOND = CleanEntry(LogId(1 << 63, 5, Role.GROUPS), 7, 1 << 40, 1 << 26, 1 << 41, 9, 0, 0, 0)


def test_entries_come_back_until_they_are_removed() -> None:
    disk = MemoryDisk()
    write_clean(disk, [FIRST, SECOND])
    state = CleanState({FIRST.log_id: FIRST, SECOND.log_id: SECOND})
    assert look_at_clean(disk) == look_at_clean(disk) == state
    remove_clean(disk)
    assert look_at_clean(disk) == CleanState({})
    remove_clean(disk)
    assert look_at_clean(disk) == CleanState({})


def test_note_is_durable_and_so_is_its_removal() -> None:
    disk = MemoryDisk()
    write_clean(disk, [FIRST])
    disk.power_cut()
    assert look_at_clean(disk).entries == {FIRST.log_id: FIRST}
    remove_clean(disk)
    disk.power_cut()
    assert disk.read_file(CLEAN_PATH) is None


def test_note_that_a_killed_start_has_removed_never_comes_back() -> None:
    """It would contradict everything that was written since."""
    disk = MemoryDisk()
    write_clean(disk, [FIRST])
    disk.remove(CLEAN_PATH)
    assert look_at_clean(disk) == CleanState({})
    remove_clean(disk)
    disk.power_cut()
    assert disk.read_file(CLEAN_PATH) is None


def test_note_that_cannot_be_read_is_no_note_at_all() -> None:
    disk = FaultyDisk()
    write_clean(disk, [FIRST])
    disk.fail = failing("open", errno.EIO)
    state = look_at_clean(disk)
    assert (state.entries, state.complaint) == (
        {},
        "the file CLEAN cannot be read, all logs are scanned: [Errno 5] open fails: 'CLEAN'",
    )


def test_note_is_kept_where_no_more_files_can_be_opened() -> None:
    disk = FaultyDisk()
    write_clean(disk, [FIRST])
    disk.fail = failing("open", errno.EMFILE)
    with pytest.raises(OSError, match="open fails"):
        look_at_clean(disk)
    disk.fail = lambda operation, path: None
    assert look_at_clean(disk).entries == {FIRST.log_id: FIRST}


def test_clean_stop_without_logs_is_no_damage() -> None:
    disk = MemoryDisk()
    write_clean(disk, [])
    assert look_at_clean(disk) == CleanState({})


def test_every_flipped_bit_makes_it_no_note_at_all() -> None:
    disk = MemoryDisk()
    write_clean(disk, [FIRST, SECOND])
    data = disk.read_file(CLEAN_PATH) or b""
    assert data.startswith(b"TMQC\1")
    for bit in range(8 * len(data)):
        state = read_clean(flipped(data, bit))
        assert not state.entries, bit
        assert state.complaint, bit


def test_every_truncation_makes_it_no_note_at_all() -> None:
    disk = MemoryDisk()
    write_clean(disk, [FIRST, SECOND])
    data = disk.read_file(CLEAN_PATH) or b""
    for size in range(len(data)):
        assert read_clean(data[:size]).complaint, size
    assert read_clean(data + b"\0").complaint


def test_damaged_note_is_named() -> None:
    disk = MemoryDisk()
    disk.replace_file(CLEAN_PATH, b"?")
    state = look_at_clean(disk)
    assert not state.entries
    assert CLEAN_PATH in (state.complaint or "")


@pytest.mark.parametrize("rows", [b"\x91\xc0", b"\x91\x91\x01", b"\xc1", b"", b"\x01"])
def test_rows_that_are_no_entries_are_damage(rows: bytes) -> None:
    head = b"TMQC\x01" + checksum(rows).to_bytes(4, "big")
    assert read_clean(head + rows).complaint


def test_entry_says_where_the_log_goes_on() -> None:
    assert FIRST.end == LogEnd(12, 3, 0xDEADBEEF, 1, 1_700_000_000_000_000)


def test_a_note_that_a_full_disk_does_not_take_is_not_left_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start needs what room is left."""
    disk = OsDisk(str(tmp_path))
    write_clean(disk, [FIRST])

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_clean(disk, [FIRST, SECOND])
    assert disk.list_directory("") == [CLEAN_PATH]
    assert look_at_clean(disk).entries == {FIRST.log_id: FIRST}
    disk.close()
