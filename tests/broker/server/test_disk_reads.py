"""Reads of queue groups that wait for the disk; those of streams are in test_deliveries.py."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tapemq_broker.core.effects import ReadKeys
from tapemq_broker.storage.record_log import Chunk
from tests.broker.server import test_key_reads, test_leases
from tests.support.chunks import LOG, chunk, keyed, numbered

LEASES = 40
LEASES_IN_MEMORY = 8


class SlowPlan:
    """A read for which the disk takes as long as a test wants."""

    def __init__(self, base: int) -> None:
        self._chunk = chunk(numbered(base, 10), next_offset=base + 10, hint=None)
        self.go_on = threading.Event()
        self.done = threading.Semaphore(0)

    def run(self, wait: bool) -> Chunk | None:
        if not wait:
            return None
        if not self.go_on.wait(10):
            raise AssertionError("nobody can say that the disk may go on")
        self.done.release()
        return self._chunk


class Rig(test_leases.Rig):
    """Forty groups, for each of which the same has to be read from the disk."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = SlowPlan(0)

    def plan(self, *wanted: object, **options: Any) -> Any:
        return self.slow

    async def start(self, leases: int = LEASES) -> None:
        for number in range(1, leases + 1):
            self.leases.start(test_leases.wish((0, 1), lease_id=number))
            await asyncio.sleep(0)
        assert len(self.tasks) >= leases


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_leases_do_not_fill_the_memory_while_the_event_loop_is_busy(rig: Rig) -> None:
    await rig.start()
    rig.slow.go_on.set()
    for _ in range(LEASES_IN_MEMORY):
        assert rig.slow.done.acquire(timeout=30)
    assert not rig.slow.done.acquire(timeout=0.05), "the loop has sent nothing since"
    await rig.settled()
    assert len(rig.sent) == LEASES


async def test_who_leaves_while_others_are_read_for_is_not_read_for(rig: Rig) -> None:
    await rig.start()
    rig.is_wanted = lambda delivery: False  # type: ignore[method-assign]
    rig.slow.go_on.set()
    await rig.settled()
    assert rig.counters.reads_from_disk == LEASES_IN_MEMORY
    assert rig.sent == []


async def test_slow_reads_of_leases_keep_nothing_else_from_a_thread(rig: Rig) -> None:
    """Batches are looked into in threads, too."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    await rig.start(leases=1)
    await loop.run_in_executor(None, rig.slow.go_on.set)
    await rig.settled()
    assert len(rig.sent) == 1


async def test_slow_reads_of_keys_keep_nothing_else_from_a_thread() -> None:
    go_on = threading.Event()

    class SlowRig(test_key_reads.Rig):
        def run(self, wait: bool) -> Chunk:
            if not go_on.wait(10):
                raise AssertionError("nobody can say that the disk may go on")
            return super().run(wait)

    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    rig = SlowRig(chunk(keyed(3, b"a"), next_offset=4))
    rig.reads.start(ReadKeys(LOG, "g", 3, 4))
    await asyncio.sleep(0)
    await loop.run_in_executor(None, go_on.set)
    assert rig.task is not None
    await rig.task
    assert rig.reported == [[b"a"]]
