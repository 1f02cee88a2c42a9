"""What time alone brings about: marks, deadlines, heartbeats."""

import asyncio
import errno
import threading
from pathlib import Path

import pytest

from tapemq.batch import Kind, iter_batches
from tapemq.wire import messages as m
from tapemq_broker.config import Settings
from tapemq_broker.server.server import Server
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.ahead_clock import AheadClock
from tests.support.raw_client import RawClient
from tests.support.running_server import memory_world, running_server
from tests.support.stuck_disk import StuckDisk


def files_of(disk: MemoryDisk, ending: str = ".log") -> list[str]:
    (topic,) = disk.list_directory("topics/default")
    path = f"topics/default/{topic}0"
    return [f"{path}/{name}" for name in disk.list_directory(path) if name.endswith(ending)]


async def test_an_idle_log_gets_a_mark_that_proves_its_end() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk, mark_idle_s=0.001) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        while True:
            await client.ask(m.Ping(), m.Pong)
            data = disk.read_file(files_of(disk)[0]) or b""
            batches = [header for header, _ in iter_batches(data)]
            if batches[-1].kind is Kind.MARK and batches[-1].durable_upto == 1:
                break


async def test_silence_is_answered_by_pings_and_then_by_the_end() -> None:
    async with running_server(heartbeat_s=0.5) as server:
        client = await RawClient.connect(server.port)
        await client.push_of(m.Ping)
        failure, _ = await client.push_of(m.Failure)
        assert failure.code == 4
        assert await client.at_end()


async def test_who_stood_still_has_to_read_before_it_judges() -> None:
    clock = AheadClock()
    async with running_server(clock=clock, heartbeat_s=20.0) as server:
        client = await RawClient.connect(server.port)
        clock.monotonic_ahead_s = 20.0
        await client.push_of(m.Ping)
        clock.monotonic_ahead_s = 1000.0
        server._timers.stop()
        server._timers._tick(asyncio.get_running_loop().time() - 980.0)
        await client.ask(m.Ping(), m.Pong)


async def test_a_request_that_is_late_hears_so() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        disk.stuck = True
        late = await client.publish_late(topic, b"x", deadline_ms=1)
        assert late.code == 8
        disk.release()


async def test_a_timer_that_fails_ends_the_broker() -> None:
    """Going on without one would leave deadlines, heartbeats and limits to nobody."""
    disk = UnmeasurableDisk(post=asyncio.get_running_loop().call_soon)
    ended = asyncio.get_running_loop().create_future()
    server = Server(Settings(), memory_world(disk)._replace(fatal=ended.set_result))
    await server.start("127.0.0.1", 0)
    disk.broken = True
    assert "no such device" in await ended
    await server.stop()


async def test_what_found_no_file_to_be_opened_is_removed_though_nothing_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk nothing is published, so retention lets go of nothing more."""
    disk = OsDisk(str(tmp_path), post=asyncio.get_running_loop().call_soon_threadsafe)
    clock, tried = AheadClock(), threading.Event()

    def no_files(path: str) -> None:
        tried.set()
        raise OSError(errno.EMFILE, "Too many open files", path)

    async with running_server(disk, clock=clock) as server:
        for name in ("1", "2"):
            (tmp_path / name).touch()
        with monkeypatch.context() as patch:
            patch.setattr(disk, "sync_directory", no_files)
            disk.discard(["1", "2"])
            assert await asyncio.to_thread(tried.wait, 10)
        clock.monotonic_ahead_s = 2.0
        server._timers.do_what_is_due()
    assert not (tmp_path / "2").exists()


class UnmeasurableDisk(MemoryDisk):
    """A disk that may cease to say how full it is."""

    broken = False

    def free_bytes(self) -> int:
        if self.broken:
            raise OSError(errno.ENODEV, "no such device")
        return super().free_bytes()
