from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.diagnosis import Claims, diagnose
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.recovery import recover
from tapemq_broker.storage.repair_note import (
    REPAIR_NOTE,
    read_repair_note,
    remove_repair_note,
    write_repair_note,
)
from tests.support.raw_log import DIRECTORY, LOG_ID
from tests.support.recovery_cases import Damage


def test_note_is_durable_until_it_is_removed() -> None:
    disk = MemoryDisk()
    files = LogFiles(disk, DIRECTORY, LOG_ID)
    assert read_repair_note(files) == 0
    write_repair_note(files, 12)
    disk.power_cut()
    assert read_repair_note(files) == 12
    remove_repair_note(files)
    disk.power_cut()
    assert read_repair_note(files) == 0


def test_damaged_note_says_nothing() -> None:
    disk = MemoryDisk()
    files = LogFiles(disk, DIRECTORY, LOG_ID)
    disk.make_directory(DIRECTORY)
    disk.replace_file(files.path(REPAIR_NOTE), b"x12")
    assert read_repair_note(files) == 0


def test_log_that_ends_before_the_note_is_refused_and_one_behind_it_drops_it() -> None:
    damage = Damage()
    damage.image[f"{DIRECTORY}/{REPAIR_NOTE}"] = b"19\n"
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    assert diagnose(files, Claims()).row is Row.MISSING_BYTES
    damage.image[f"{DIRECTORY}/{REPAIR_NOTE}"] = b"18\n"
    disk = damage.disk()
    recover(disk, DIRECTORY, LOG_ID, clean=None, durable_floor=0, now_us=1)
    assert REPAIR_NOTE not in disk.list_directory(DIRECTORY)
