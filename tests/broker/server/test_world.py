"""The world of a production broker."""

import subprocess
import sys
from pathlib import Path

import pytest

from tapemq_broker.server.world import EXIT_STORAGE_FAILED, World
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.unsynced_disk import UnsyncedDisk


@pytest.mark.parametrize(("sync", "kind"), [(True, OsDisk), (False, UnsyncedDisk)])
async def test_syncing_is_off_only_where_it_was_asked_for(
    tmp_path: Path, sync: bool, kind: type
) -> None:
    world = World.real(tmp_path, sync=sync)
    assert type(world.disk) is kind
    world.disk.close()


def test_the_fatal_exit_says_why_and_runs_nothing_else() -> None:
    program = (
        "import atexit; from tapemq_broker.server.world import exit_now\n"
        "atexit.register(print, 'cleaned up')\n"
        "try: exit_now('the disk lies')\n"
        "finally: print('finally')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == EXIT_STORAGE_FAILED
    assert done.stderr == b"tapemq: fatal: the disk lies\n"
    assert done.stdout == b""
