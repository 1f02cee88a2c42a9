"""The disk whose power can be cut is nobody else's, so that what runs beside does not keep it."""

import subprocess
from pathlib import Path

import pytest

from tests.support.crash.powered_disk import PoweredDisk, missing

pytestmark = [pytest.mark.crash, pytest.mark.skipif(bool(missing()), reason=missing())]

_OTHER = "read now; exec unshare --mount sh -c 'echo inside; read end'"


def test_a_mount_namespace_that_others_make_keeps_no_disk(tmp_path: Path) -> None:
    disk = PoweredDisk(tmp_path)
    with subprocess.Popen(
        ["sh", "-c", _OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        disk.start()
        try:
            print("now", file=other.stdin, flush=True)
            assert other.stdout.readline() == "inside\n"
            disk.cut()
            disk.restore()
        finally:
            other.stdin.close()
            disk.stop()


def test_it_goes_with_its_owner_and_leaves_the_directory_where_it_was(tmp_path: Path) -> None:
    before = Path.cwd()
    disk = PoweredDisk(tmp_path)
    disk.start()
    (disk.path / "file").write_bytes(b"x")
    assert disk.path.is_mount()
    disk.stop()
    assert not disk.path.is_mount()
    assert list(disk.path.iterdir()) == []
    assert Path.cwd() == before
