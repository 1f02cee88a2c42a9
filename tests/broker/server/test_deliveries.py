"""Deliveries that are overtaken while they are read; the rest is tested through a real server."""

import asyncio
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from tapemq.batch import LogId
from tapemq.wire import messages as m
from tapemq_broker.core import effects as e
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.deliveries import Deliveries
from tapemq_broker.server.disk_reads import DiskReads
from tapemq_broker.storage.errors import CorruptLog, OffsetOutOfRange
from tapemq_broker.storage.record_log import Chunk
from tests.support.core.reading import data_log, key, subscribe, wish
from tests.support.core.world import World

READS_IN_MEMORY = 16


class Plan:
    """A read that has to wait for the disk; ``meanwhile`` something happens."""

    def __init__(self, meanwhile: Any, outcome: Chunk | Exception) -> None:
        self._meanwhile = meanwhile
        self._outcome = outcome

    def run(self, wait: bool) -> Chunk | None:
        if not wait:
            return None
        self._meanwhile()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class Rig:
    """An engine around the core's world, with one session that reads, and one log."""

    def __init__(self) -> None:
        self.world = World()
        self.topic_id = self.world.create_topic("orders")
        self.world.publish(data_log(), b"a")
        self.world.sync()
        subscribe(self.world, wish(1))
        self.wish = self.world.reading.popleft()
        self.sent: list[m.Deliver] = []
        self.ran: list[e.Effect] = []
        self.task: asyncio.Task[None] | None = None
        # What Deliveries use of sessions and of a connection.
        self.core = self.world.core
        self.logs: Any = None
        self.counters = Counters()
        self.hints: dict[tuple[int, int], object] = {}
        self.parked: list[e.Deliver] = []
        self.room_bytes = 1000
        self.reads = DiskReads(READS_IN_MEMORY // 2)

    def has_room(self, size_bytes: int) -> bool:
        return size_bytes <= self.room_bytes

    def get(self, session: int) -> "Rig":
        return self

    def send(self, message: m.Deliver, *, payload: memoryview) -> None:
        self.sent.append(message)

    def run(self, effects: e.Effects) -> None:
        self.ran += effects

    def spawn(self, work: Any) -> None:
        self.task = asyncio.get_running_loop().create_task(work)

    def takes(self, error: Exception, again: Any) -> bool:
        """As ReadRetries do: of this error, it passes."""
        if not isinstance(error, BlockingIOError):
            return False
        again()
        return True

    def start(self) -> None:
        """Begin the delivery that the core wishes."""
        this: Any = self
        ways = (self.run, self.spawn, this)
        deliveries = Deliveries(self.core.streams, self.logs, this, self.reads, *ways)
        deliveries.start(this, self.wish)

    async def read(self, outcome: Chunk | Exception, meanwhile: Any = lambda: None) -> None:
        """Carry the delivery out in a thread."""
        self.logs = SimpleNamespace(plan=lambda wanted, hint: Plan(meanwhile, outcome))
        self.start()
        assert self.task is not None
        await self.task


CHUNK = Chunk(memoryview(b"batch"), 1, 1, "a hint")


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_what_fails_for_a_reason_that_passes_is_delivered_later(rig: Rig) -> None:
    """The subscription would end, as if there was damage."""
    await rig.read(BlockingIOError("for a moment"))
    assert rig.ran == [rig.wish]
    assert rig.counters.corrupt_reads == 0


async def test_read_in_a_thread_is_sent(rig: Rig) -> None:
    await rig.read(CHUNK)
    assert [(deliver.offset, deliver.next_offset) for deliver in rig.sent] == [(0, 1)]
    assert rig.counters.reads_from_disk == 1
    counters = rig.counters
    told = (counters.records_delivered, counters.bytes_delivered, counters.deliveries)
    assert told == (1, len(CHUNK.data), 1)
    assert rig.hints == {(1, 0): "a hint"}


async def test_what_was_read_for_a_client_that_is_busy_by_now_is_put_off(rig: Rig) -> None:
    rig.room_bytes = 0
    await rig.read(CHUNK)
    assert rig.sent == []
    assert rig.parked == [rig.wish]


async def test_nothing_is_sent_to_who_has_left_meanwhile(rig: Rig) -> None:
    """The answer to Unsubscribe promises that."""
    await rig.read(CHUNK, lambda: rig.core.streams.session_closed(1, 0.0))
    assert rig.sent == []


async def test_void_delivery_is_not_even_read(rig: Rig) -> None:
    rig.core.streams.session_closed(1, 0.0)
    rig.start()
    assert rig.task is None


async def test_who_leaves_while_others_are_read_for_is_not_read_for(rig: Rig) -> None:
    for _ in range(READS_IN_MEMORY):
        await rig.reads.turns.acquire()
    rig.logs = SimpleNamespace(plan=lambda wanted, hint: Plan(lambda: None, CHUNK))
    rig.start()
    await asyncio.sleep(0)
    rig.core.streams.session_closed(1, 0.0)
    rig.reads.turns.release()
    assert rig.task is not None
    await rig.task
    assert (rig.sent, rig.counters.reads_from_disk) == ([], 0)


async def test_retention_may_be_faster_than_a_read(rig: Rig) -> None:
    """The reader goes on at what is left; the broker goes on in any case."""
    rig.world.publish(data_log(), b"b")
    rig.world.sync()
    rig.core.truncated(data_log(), 1)
    await rig.read(OffsetOutOfRange(0, 1, 2))
    (again,) = rig.ran
    assert isinstance(again, e.Deliver)
    assert (again.key, again.offset, again.upto) == (key(1), 1, 2)
    subscription = rig.core.streams._subscriptions.get(key(1))
    asked = wish(1)
    assert subscription is not None
    assert (subscription.credit_records, subscription.credit_bytes) == (
        asked.credit_records,
        asked.credit_bytes,
    )


async def test_what_fails_without_a_thread_is_told_as_well(rig: Rig) -> None:
    def plan(wanted: e.Deliver, hint: object) -> Plan:
        raise CorruptLog("0.log", 9, 0, 1, "rot")

    rig.logs = SimpleNamespace(plan=plan)
    rig.start()
    assert [type(effect) for effect in rig.ran] == [e.Detach]


async def test_damage_ends_the_reader_and_says_so(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.read(CorruptLog("0.log", 9, 0, 1, "rot"))
    (detach,) = rig.ran
    assert isinstance(detach, e.Detach)
    assert detach.reason.name == "storage_failed"
    assert rig.counters.corrupt_reads == 1
    assert "for delivery: " in caplog.text


async def test_slow_reads_keep_nothing_else_from_a_thread() -> None:
    """Topics are made in threads, too."""
    slow = threading.Event()
    rigs = [Rig() for _ in range(4)]
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    for rig in rigs:
        rig.logs = SimpleNamespace(plan=lambda wanted, hint: Plan(slow.wait, CHUNK))
        rig.start()
    await loop.run_in_executor(None, slow.set)  # as long as they wait, this is the only way out
    for rig in rigs:
        assert rig.task is not None
        await rig.task
        assert len(rig.sent) == 1


class Crowd:
    """Two thousand sessions that have read a log to its end; it grows by a record of 100 bytes."""

    READERS = 2000

    def __init__(self, *, size_bytes: int = 100) -> None:
        self.world = World()
        self.world.create_topic("orders")
        self.streams = self.world.core.streams
        for session in range(self.READERS):
            subscribe(self.world, wish(session))
        self.end = 0
        self.size_bytes = size_bytes
        self.sent: list[int] = []
        self.counters = Counters()
        self.hints: dict[tuple[int, int], object] = {}
        this: Any = self
        ways = (self.carry, this.fail, this)
        self.deliveries = Deliveries(
            self.streams, this, this, DiskReads(READS_IN_MEMORY // 2), *ways
        )

    def get(self, session: int) -> "Crowd":
        return self

    def fail(self, work: Any) -> None:
        raise AssertionError("nothing here waits for the disk")

    def send(self, message: m.Deliver, *, payload: memoryview) -> None:
        self.sent.append(message.next_offset)

    def carry(self, effects: e.Effects) -> None:
        connection: Any = self
        for effect in effects:
            assert isinstance(effect, e.Deliver)
            self.deliveries.start(connection, effect)

    def plan(self, wanted: e.Deliver, hint: object) -> "Crowd":
        return self

    def run(self, wait: bool) -> Chunk | None:
        return Chunk(memoryview(bytes(self.size_bytes)), 1, self.end, None)

    def grow(self) -> None:
        self.end += 1
        self.world.publish(data_log(), b"x")
        self.world.core.durable_upto(data_log(), self.end)
        self.deliveries.wake(data_log())

    async def sent_by_turn(self) -> list[int]:
        """How many were sent to in each turn of the loop, from this one on."""
        turns: list[int] = []
        while sum(turns) < len(self.sent) or turns[-2:] != [0, 0]:
            turns.append(len(self.sent) - sum(turns))
            await asyncio.sleep(0)
        return turns


class SlowCrowd(Crowd):
    """Forty sessions for which the log has to be read from the disk."""

    READERS = 40

    def __init__(self) -> None:
        super().__init__(size_bytes=512 * 1024)
        self.go_on = threading.Event()
        self.done = threading.Semaphore(0)
        self.tasks: list[asyncio.Task[None]] = []

    def fail(self, work: Any) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    def run(self, wait: bool) -> Chunk | None:
        if not wait:
            return None
        self.go_on.wait()
        chunk = super().run(wait)
        self.done.release()
        return chunk

    def has_room(self, size_bytes: int) -> bool:
        return True


async def test_reads_do_not_fill_the_memory_while_the_event_loop_is_busy() -> None:
    crowd = SlowCrowd()
    crowd.grow()
    for _ in range(crowd.READERS):  # a few begin in each turn
        await asyncio.sleep(0)
    assert len(crowd.tasks) == crowd.READERS
    crowd.go_on.set()
    for _ in range(READS_IN_MEMORY):
        assert crowd.done.acquire(timeout=30)
    assert not crowd.done.acquire(timeout=0.05), "the loop has been here since, and sent nothing"
    await asyncio.gather(*crowd.tasks)
    assert len(crowd.sent) == crowd.READERS


async def test_readers_of_one_log_are_served_over_many_turns_of_the_loop() -> None:
    crowd = Crowd()
    crowd.grow()
    turns = await crowd.sent_by_turn()
    assert sum(turns) == crowd.READERS
    assert max(turns) <= 64


async def test_a_turn_is_full_with_few_large_deliveries() -> None:
    crowd = Crowd(size_bytes=512 * 1024)
    crowd.grow()
    turns = await crowd.sent_by_turn()
    assert sum(turns) == crowd.READERS
    assert max(turns) <= 8


async def test_those_who_were_told_first_hear_of_what_came_meanwhile() -> None:
    crowd = Crowd()
    crowd.grow()
    for _ in range(3):
        await asyncio.sleep(0)
    crowd.grow()
    await crowd.sent_by_turn()
    assert crowd.sent.count(2) == crowd.READERS


async def test_each_reader_is_told_once_of_what_came_once() -> None:
    """And nobody is told of anything for ever."""
    crowd, told, failed = Crowd(), [0], []
    visible = crowd.streams.visible

    def counted(log: LogId, readers: Iterable[e.SubscriptionKey]) -> e.Effects:
        some = list(readers)
        told[0] += len(some)
        return visible(log, some)

    crowd.streams.visible = counted  # type: ignore[method-assign]
    asyncio.get_running_loop().set_exception_handler(lambda _, what: failed.append(what))
    for end in (1, 2):
        crowd.grow()
        await crowd.sent_by_turn()
        for _ in range(20):
            await asyncio.sleep(0)
        assert told == [end * crowd.READERS]
    assert failed == []


async def test_one_delivery_need_not_wait_for_the_next_turn() -> None:
    crowd = Crowd()
    for session in range(1, crowd.READERS):
        crowd.streams.session_closed(session, 0.0)
    crowd.grow()
    assert crowd.sent == [1]


async def test_files_that_went_with_their_topic_are_no_damage() -> None:
    rig = Rig()

    def delete() -> None:
        rig.core.streams.session_closed(1, 0.0)

    gone = FileNotFoundError("it was removed")
    rig.logs = SimpleNamespace(plan=lambda wanted, hint: Plan(delete, gone))
    rig.start()
    assert rig.task is not None
    await rig.task
    assert rig.counters.corrupt_reads == 0
    assert rig.ran == []
