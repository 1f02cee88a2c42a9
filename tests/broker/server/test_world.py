"""The world of a production broker."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tapemq.batch import Columns, checksum, encode_body
from tapemq.wire import messages as m
from tapemq_broker.config import Settings
from tapemq_broker.server.server import Server
from tapemq_broker.server.world import EXIT_STORAGE_FAILED, World
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.threads import started
from tapemq_broker.storage.unsynced_disk import UnsyncedDisk
from tests.support.no_threads import none_left
from tests.support.raw_client import RawClient


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


async def test_a_broker_that_runs_goes_on_where_no_more_threads_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.get_running_loop().set_default_executor(started(5, "work"))
    server = Server(Settings(), World.real(tmp_path / "data", make_threads=started))
    await server.start("127.0.0.1", 0)
    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", none_left)
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        assert (await client.publish(topic, b"x")).base_offset == 0
        RawClient.close_all()
        await server.stop(grace_s=1.0)


async def test_all_files_are_for_the_broker_alone(tmp_path: Path) -> None:
    server = Server(Settings(), World.real(tmp_path / "data"))
    await server.start("127.0.0.1", 0)
    client = await RawClient.connect(server.port)
    topic = await client.topic("t")
    await client.publish(topic, b"x")
    body = encode_body(Columns([b"later"]))
    wish = m.Schedule(topic.topic_id, 0, checksum(body), delay_ms=60_000)
    await client.ask(wish, m.Scheduled, body)
    # Answered from the index, which is opened in a thread of its own after the start.
    await client.ask(m.ListSchedules(topic.topic_id), m.SchedulePage)
    found = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "data").rglob("*")}
    RawClient.close_all()
    await server.stop(grace_s=1.0)
    assert {path.name for path in found} > {"schedules.index", "schedules.index-wal"}
    assert {path: mode for path, mode in found.items() if mode & 0o077} == {}
