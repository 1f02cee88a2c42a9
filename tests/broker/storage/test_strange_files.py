"""What lies in the place of a file and is none: whoever opens a pipe waits, a device has no end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tapemq_broker.storage.files import OsDisk


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.fixture(params=[True, False], ids=["read only", "read and write"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> OsDisk:
    return OsDisk(str(tmp_path), read_only=request.param)


@pytest.mark.parametrize("make", [make_pipe, make_device])
def test_what_is_no_file_is_not_opened(
    disk: OsDisk, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "f")
    held = os.open(tmp_path / "f", os.O_RDWR)  # else this test would wait, if it failed
    with pytest.raises(OSError, match=r"This is no regular file.*/f'"):
        disk.open("f")
    os.close(held)


def test_a_device_is_not_read_to_its_end(disk: OsDisk, tmp_path: Path) -> None:
    make_device(tmp_path / "f")
    with pytest.raises(OSError, match=r"This is no regular file.*/f'"):
        disk.read_file("f")


def test_a_lock_is_a_file(disk: OsDisk, tmp_path: Path) -> None:
    make_device(tmp_path / "LOCK")
    with pytest.raises(OSError, match=r"This is no regular file.*/LOCK'"):
        disk.lock()


def test_a_file_is_not_replaced_by_what_is_none(tmp_path: Path) -> None:
    disk = OsDisk(str(tmp_path))
    make_device(tmp_path / "f.tmp")
    with pytest.raises(OSError, match=r"This is no regular file.*/f\.tmp'"):
        disk.replace_file("f", b"content", durable=False)
    disk.replace_file("f", b"content", durable=False)
    assert disk.read_file("f") == b"content"
