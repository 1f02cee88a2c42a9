from errno import EIO, EMFILE

import pytest

from tapemq_broker.storage.boot_epoch import BOOT_PATH, look_at_boot_epoch, note_boot_epoch
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.disk_image import flipped
from tests.support.faulty_disk import FaultyDisk, failing


def test_the_number_of_the_last_start_comes_back_after_a_power_cut() -> None:
    disk = MemoryDisk()
    assert look_at_boot_epoch(disk) == (0, None)
    for boot_epoch in (1, 2, 2**32 - 1):
        note_boot_epoch(disk, boot_epoch)
        disk.power_cut()
        assert look_at_boot_epoch(disk) == (boot_epoch, None)


def test_a_damaged_file_says_nothing() -> None:
    disk = MemoryDisk()
    note_boot_epoch(disk, 12)
    data = disk.read_file(BOOT_PATH) or b""
    damaged = [flipped(data, bit) for bit in range(8 * len(data))]
    for wrong in [*damaged, b"", data[:-1], data * 2, data.replace(b"12", b"99")]:
        disk.replace_file(BOOT_PATH, wrong)
        boot_epoch, complaint = look_at_boot_epoch(disk)
        assert boot_epoch == 0
        assert complaint is not None
        assert "damaged" in complaint


class Unreadable(MemoryDisk):
    """A disk that cannot read a small file."""

    def read_file(self, path: str) -> bytes | None:
        raise OSError(EIO, "input/output error", path)


def test_a_file_that_cannot_be_read_says_nothing() -> None:
    boot_epoch, complaint = look_at_boot_epoch(Unreadable())
    assert boot_epoch == 0
    assert complaint is not None
    assert "input/output" in complaint


def test_no_file_left_to_be_opened_is_not_taken_for_a_damaged_file() -> None:
    """It may say more than the catalog: the next start would give its ids once more."""
    disk = FaultyDisk()
    note_boot_epoch(disk, 12)
    disk.fail = failing("open", EMFILE, path=BOOT_PATH)
    with pytest.raises(OSError, match="open fails"):
        look_at_boot_epoch(disk)
