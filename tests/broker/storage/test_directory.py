import errno
import os
from pathlib import Path

import pytest

from tapemq.batch import LogId, Role
from tapemq_broker.storage.directory import CATALOG_ID, DataDirectory, LogPlace
from tapemq_broker.storage.errors import DataDirectoryError
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.crashing_disk import Crash, CrashingDisk
from tests.support.disk_image import fill, flipped, make_disk, take_image
from tests.support.faulty_disk import FaultyDisk, failing

ID = bytes(range(16))
OTHER_ID = bytes(16)
DATA = LogId(0x1F, 0, Role.DATA)


def test_empty_directory_becomes_a_data_directory() -> None:
    disk = MemoryDisk()
    assert DataDirectory.open(disk, ID).broker_id == ID
    disk.power_cut()
    assert DataDirectory.open(disk, OTHER_ID).broker_id == ID
    line = disk.read_file("FORMAT") or b""
    assert line.startswith(b"tapemq 1 000102030405060708090a0b0c0d0e0f ")


def test_leftovers_of_a_first_start_do_no_harm() -> None:
    disk = make_disk({"LOCK": b"", "FORMAT.tmp": b"tapemq", "lost+found/x": b""})
    assert DataDirectory.open(disk, ID).broker_id == ID


def test_directory_of_something_else_is_left_alone() -> None:
    disk = make_disk({"letters/1.txt": b"dear"})
    with pytest.raises(DataDirectoryError, match="letters"):
        DataDirectory.open(disk, ID)
    assert set(take_image(disk)) == {"letters/1.txt"}


def test_nothing_is_left_in_a_directory_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x")
    disk = OsDisk(str(tmp_path))
    with pytest.raises(DataDirectoryError, match=r"holds 'precious\.txt' but no file FORMAT"):
        DataDirectory.open(disk, bytes(16))
    disk.close()
    assert os.listdir(tmp_path) == ["precious.txt"]


def test_broker_id_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        DataDirectory.open(MemoryDisk(), b"short")


def test_second_process_is_refused() -> None:
    disk = MemoryDisk()
    DataDirectory.open(disk, ID)
    with pytest.raises(DataDirectoryError, match="another process"):
        DataDirectory.open(disk, ID)
    with pytest.raises(DataDirectoryError, match="another process"):
        DataDirectory.open_offline(disk, for_writing=False)


def test_every_flipped_bit_of_the_format_is_found() -> None:
    disk = MemoryDisk()
    DataDirectory.open(disk, ID)
    line = disk.read_file("FORMAT") or b""
    for bit in range(8 * len(line)):
        with pytest.raises(DataDirectoryError, match=r"damaged|newer"):
            DataDirectory.open(make_disk({"FORMAT": flipped(line, bit)}), ID)
    for size in range(len(line)):
        with pytest.raises(DataDirectoryError, match="damaged"):
            DataDirectory.open(make_disk({"FORMAT": line[:size]}), ID)


@pytest.mark.parametrize("line", [b"tapemq 2 what comes then\n", b"tapemq 2", b"tapemq 12 x"])
def test_newer_format_is_refused_untouched(line: bytes) -> None:
    disk = make_disk({"FORMAT": line, "x.tmp": b"", "topics/default/a~00.deleted/x": b""})
    before = take_image(disk)
    with pytest.raises(DataDirectoryError, match="newer"):
        DataDirectory.open(disk, ID)
    assert take_image(disk) == before


def test_logs_lie_where_the_layout_says() -> None:
    directory = DataDirectory(MemoryDisk(), ID)
    assert directory.catalog_path == "catalog"
    parent = "topics/default/orders.eu~000000000000001f"
    assert directory.log_path("orders.eu", DATA) == f"{parent}/0"
    groups = DATA._replace(partition=12, role=Role.GROUPS)
    assert directory.log_path("orders.eu", groups) == f"{parent}/12.groups"
    schedule = DATA._replace(role=Role.SCHEDULE)
    assert directory.log_path("orders.eu", schedule, "team") == (
        "topics/team/orders.eu~000000000000001f/0.schedule"
    )


def test_logs_are_found_on_disk() -> None:
    disk = MemoryDisk()
    directory = DataDirectory(disk, ID)
    assert directory.logs() == []
    ids = [
        LogId(topic_id, partition, role)
        for topic_id in (1, 0xFF)
        for partition in (0, 2, 10)
        for role in (Role.DATA, Role.GROUPS, Role.SCHEDULE)
    ]
    for log_id in ids:
        disk.make_directory(directory.log_path("a.b", log_id))
    for strange in (
        "topics/default/notes",
        "topics/default/a~1",
        "topics/default/a.b~" + "0" * 15 + "1/x",
    ):
        disk.make_directory(strange)
    found = [LogPlace("default", "a.b", one, directory.log_path("a.b", one)) for one in ids]
    assert directory.logs() == found
    disk.make_directory("catalog")
    disk.open("catalog/x", create=True)
    assert directory.logs() == [LogPlace("", "", CATALOG_ID, "catalog"), *found]


def image_with_topic() -> dict[str, bytes]:
    disk = MemoryDisk()
    directory = DataDirectory.open(disk, ID)
    image = take_image(disk)
    for topic in ("orders", "bills"):
        for role in (Role.DATA, Role.GROUPS):
            path = directory.log_path(topic, DATA._replace(role=role))
            image |= {f"{path}/{name}": b"data" for name in ("0.log", "0.index")}
    return image


def test_topic_is_removed_with_all_that_is_in_it() -> None:
    disk = make_disk(image_with_topic())
    directory = DataDirectory.open(disk, ID)
    directory.remove_topic("orders", DATA.topic_id)
    directory.remove_topic("orders", DATA.topic_id)
    assert disk.list_directory("topics/default") == ["bills~000000000000001f/"]
    assert {place.topic for place in directory.logs()} == {"bills"}


def test_interrupted_removal_is_finished_at_the_next_start() -> None:
    calls, call = 1, 0
    while call < calls:
        disk = CrashingDisk()
        fill(disk, image_with_topic())
        directory = DataDirectory.open(disk, ID)
        disk.calls, disk.crash_at = 0, call
        try:
            directory.remove_topic("orders", DATA.topic_id)
        except Crash:
            calls += 1
        disk.power_cut()
        disk.crash_at = None
        again = DataDirectory.open(disk, ID)
        topics = {place.topic for place in again.logs()}
        assert topics == {"bills"} or (call < 2 and topics == {"bills", "orders"})
        assert not [path for path in take_image(disk) if ".deleted" in path]
        call += 1
    assert calls > 8


def test_topic_that_the_catalog_may_have_forgotten_is_kept() -> None:
    disk = make_disk(image_with_topic())
    DataDirectory.open(disk, ID)
    assert take_image(disk) == image_with_topic()


def test_offline_tools_need_a_data_directory() -> None:
    with pytest.raises(DataDirectoryError, match="no data directory"):
        DataDirectory.open_offline(MemoryDisk(), for_writing=False)
    disk = make_disk(image_with_topic())
    assert DataDirectory.open_offline(disk, for_writing=True).broker_id == ID


class UnlockableDisk(MemoryDisk):
    """A data directory that cannot be locked, for the reason that ``number`` names."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        fill(self, image_with_topic())

    def lock(self) -> None:
        raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_copy_that_cannot_be_locked_can_be_read_alone(number: int) -> None:
    disk = UnlockableDisk(number)
    assert DataDirectory.open_offline(disk, for_writing=False).broker_id == ID
    complaint = f"nothing can be written .*{os.strerror(number)}"
    with pytest.raises(DataDirectoryError, match=complaint):
        DataDirectory.open_offline(disk, for_writing=True)
    with pytest.raises(DataDirectoryError, match=complaint):
        DataDirectory.open(disk, ID)


def test_a_lock_that_fails_for_another_reason_is_a_failure_of_the_disk() -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        DataDirectory.open_offline(UnlockableDisk(errno.EIO), for_writing=True)


def test_removal_that_cannot_be_finished_does_not_keep_a_broker_from_starting() -> None:
    disk = FaultyDisk()
    fill(disk, {"topics/default/old~00.deleted/0/x.log": b"x", "topics/default/b.deleted/y": b"y"})
    disk.replace_file("FORMAT", format_line())
    disk.fail = failing("remove", errno.EPERM, path="old~00")
    directory = DataDirectory.open(disk, ID)
    (complaint,) = directory.complaints
    assert "topics/default/old~00.deleted is left of a deleted topic" in complaint
    assert disk.list_directory("topics/default") == ["old~00.deleted/"]


def format_line() -> bytes:
    disk = MemoryDisk()
    DataDirectory.open(disk, ID)
    return disk.read_file("FORMAT") or b""


def test_topics_that_nobody_knows() -> None:
    names = ("a~1/0", "b~2/0", "c~3.deleted/0")
    disk = make_disk({f"topics/default/{name}/0.log": b"" for name in names})
    directory = DataDirectory(disk, ID)
    assert directory.unknown_topics({"topics/default/a~1"}) == ["topics/default/b~2"]


def test_topics_that_were_made_are_known() -> None:
    disk = MemoryDisk()
    directory = DataDirectory.open(disk, bytes(16))
    assert not directory.has_topics
    disk.make_directory(f"{directory.topic_path('orders', 7)}/0")
    assert directory.has_topics
