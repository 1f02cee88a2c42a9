"""A connection whose client does not read: slowed, then cut; its neighbours are not."""

import asyncio
import socket
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import pytest

from tapemq.wire import messages as m
from tapemq.wire.entries import pack_tokens
from tapemq.wire.session import encode_message
from tapemq_broker.config import Settings
from tapemq_broker.core.effects import Request
from tapemq_broker.server import reading_turns
from tapemq_broker.server.clock import RealClock
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.sessions import Sessions
from tapemq_broker.server.unanswered import Unanswered
from tests.support.ahead_clock import AheadClock
from tests.support.queue_client import QueueClient
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server
from tests.support.stuck_disk import StuckDisk


@pytest.mark.both_loops
async def test_who_does_not_read_is_cut_and_others_go_on() -> None:
    async with running_server(outbound_high_bytes=1 << 16, write_stall_s=0.2) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for _ in range(80):
            await client.publish(topic, b"x" * 500_000)
        idle = await RawClient.connect(server.port)
        await idle.subscribe(topic, credit_bytes=1 << 30)
        while server.status().connections == 2:
            await client.ask(m.Ping(), m.Pong)
        assert (await client.publish(topic, b"still there")).base_offset == 80


async def test_of_many_who_do_not_read_those_are_cut_who_have_not_for_the_longest_time() -> None:
    sizes: dict[str, Any] = {"outbound_high_bytes": 1 << 16, "outbound_bytes_max": 1 << 20}
    async with running_server(**sizes, outbound_memory_bytes=1 << 20, write_stall_s=60) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for _ in range(80):
            await client.publish(topic, b"x" * 500_000)
        for _ in range(24):
            slow = await RawClient.connect(server.port)
            await slow.subscribe(topic, credit_bytes=1 << 30)
        while server.status().connections > 17:  # each has more than 64 KiB
            await client.ask(m.Ping(), m.Pong)
        assert (await client.publish(topic, b"still there")).base_offset == 80


async def test_what_is_left_for_who_broke_the_protocol_is_not_kept_for_ever() -> None:
    """Nor its partitions: a client that is gone without a word reads nothing, too."""
    room = 1 << 26
    sizes: dict[str, Any] = {"outbound_high_bytes": room, "outbound_bytes_max": room}
    async with running_server(**sizes, write_stall_s=0.2) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for _ in range(80):
            await client.publish(topic, b"x" * 500_000)
        rude = await RawClient.connect(server.port)
        await rude.subscribe(topic, credit_bytes=1 << 30)
        while server.status().totals["records_delivered"] < 80:
            await client.ask(m.Ping(), m.Pong)
        rude.send(m.Done())
        while server.status().connections == 2:
            await client.ask(m.Ping(), m.Pong)


@pytest.mark.both_loops
async def test_a_batch_larger_than_what_may_be_unsent_arrives() -> None:
    sizes: dict[str, Any] = {"outbound_high_bytes": 1 << 16, "outbound_bytes_max": 1 << 16}
    sizes |= {"record_bytes_max": 16 << 20, "batch_bytes_max": 20 << 20}
    async with running_server(**sizes) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        value = bytes(16 << 20)
        for _ in range(2):
            await client.publish(topic, value)
        await client.subscribe(topic, credit_bytes=1 << 30)
        for offset in range(2):
            deliver, payload = await client.push_of(m.Deliver)
            assert deliver.offset == offset
            assert len(payload) > len(value)


async def test_all_that_was_put_off_goes_on_when_the_client_reads_again() -> None:
    """One subscription that was forgotten would wait for ever."""
    async with running_server(outbound_high_bytes=1 << 16) as server:
        client = await RawClient.connect(server.port)
        topics = [await client.topic(name) for name in "abc"]
        for _ in range(40):
            for topic in topics:
                await client.publish(topic, b"x" * 200_000)
        slow = await RawClient.connect(server.port)
        for number, topic in enumerate(topics, 1):
            await slow.subscribe(topic, subscription=number, credit_bytes=0)
        for number in range(1, 4):
            slow.send(m.Credit(number, 0, 1 << 30))
        (connection,) = list(server._sessions.by_number.values())[1:]
        while len(connection.parked) < len(topics):
            await client.ask(m.Ping(), m.Pong)
        read = [0] * len(topics)
        async with asyncio.timeout(30):
            while sum(read) < 40 * len(topics):
                deliver, _ = await slow.push_of(m.Deliver)
                assert deliver.offset == read[deliver.subscription - 1]
                read[deliver.subscription - 1] = deliver.next_offset


async def test_half_a_handshake_ends_at_its_deadline() -> None:
    async with running_server(handshake_deadline_s=0.05) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"\xf1TQ")
        assert b"no handshake" in await reader.read()
        writer.close()


class BrokenTransport(asyncio.Transport):
    """Its client is gone; what it had sent is still in the socket."""

    def __init__(self, source: socket.socket) -> None:
        super().__init__({"socket": source})

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


async def test_what_was_said_before_a_write_failed_counts() -> None:
    """A worker that is killed right after it has said something, while it is written to."""
    async with running_server() as server:
        near, far = socket.socketpair()
        near.setblocking(False)
        connection = Connection(server._sessions)
        connection.connection_made(BrokenTransport(near))
        hello = encode_message(m.Hello([1], "dead"), correlation=1, payload_bytes=0)
        connection.get_buffer(-1)[: len(hello)] = hello
        connection.buffer_updated(len(hello))
        far.sendall(encode_message(m.CreateTopic("t"), correlation=2, payload_bytes=0))
        connection.connection_lost(BrokenPipeError())
        near.close()
        far.close()
        client = await RawClient.connect(server.port)
        while not (await client.ask(m.ListTopics(), m.Names)).names:
            pass  # it is on its way to the disk
        assert server.status().connections == 1


@pytest.mark.both_loops
async def test_who_asks_on_while_the_disk_hangs_is_read_again_when_it_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the memory would fill with what waits. Others are heard, and so it is when it ends."""
    few = partial(Unanswered, most=500)
    monkeypatch.setattr("tapemq_broker.server.engine.Unanswered", few)
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk, heartbeat_s=0.1) as server:
        eager, other = [await RawClient.connect(server.port) for _ in range(2)]
        topic = await eager.topic("t")
        await eager.publish(topic, b"before")
        disk.stuck = True
        asked = [eager.send_publish(topic, b"x") for _ in range(6000)]
        seen = -1
        while seen != (seen := server.status().totals["records_published"]):
            for _ in range(50):
                await other.ask(m.Ping(), m.Pong)
        disk.release()
        offsets = [(await eager.answer(one, m.Receipt)).base_offset for one in asked]
        assert offsets == [*range(1, 6001)]
    assert 500 <= seen < 4000  # so many come with what has been read by then


async def test_who_is_not_read_while_the_disk_hangs_loses_no_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has extended them in time, and that lies in its socket."""
    monkeypatch.setattr("tapemq_broker.server.engine.Unanswered", partial(Unanswered, most=500))
    clock, disk = AheadClock(), StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk, clock=clock) as server:
        worker, other = [await QueueClient.connect(server.port) for _ in range(2)]
        topic = await worker.topic("t")
        await worker.publish(topic, b"work")
        await worker.consume(topic)
        (lease,) = await worker.leases(1)
        disk.stuck = True
        asked = [worker.send_publish(topic, b"x") for _ in range(600)]
        while server.status().totals["records_published"] <= 500:
            await other.ask(m.Ping(), m.Pong)
        clock.monotonic_ahead_s = 29
        extend = worker.send(m.Extend(1), pack_tokens(lease.tokens()))
        for _ in range(50):
            await other.ask(m.Ping(), m.Pong)
        clock.monotonic_ahead_s = 31
        server._timers.do_what_is_due()
        disk.release()
        assert (await worker.answer(extend, m.Settled)).lost == 0
        for correlation in asked:
            await worker.answer(correlation, m.Receipt)
        assert await worker.settle("ack", lease.tokens()) == []


class ClosingTransport(BrokenTransport):
    """As Python's own from 3.12 on: while it closes it takes no writelines()."""

    def is_closing(self) -> bool:
        return True

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        raise TypeError("'NoneType' object is not callable")


async def test_an_answer_that_cannot_be_encoded_ends_one_connection_only() -> None:
    async with running_server() as server:
        asking, other = [await RawClient.connect(server.port) for _ in range(2)]
        topic = await other.topic("t")
        first = next(iter(server._sessions.by_number.values()))
        first.send(m.Credit(1, -1, 0))
        with pytest.raises((EOFError, ConnectionError)):
            await asking.ask(m.Ping(), m.Pong)
        assert (await other.publish(topic, b"goes on")).base_offset == 0


async def test_what_is_delivered_while_the_connection_closes_is_dropped() -> None:
    """A delivery that failed would end a broker that runs without uvloop, as in a test."""
    near, far = socket.socketpair()
    with near, far:
        connection = Connection(Sessions(Settings(), RealClock(), Counters()))
        connection.connection_made(ClosingTransport(near))
        connection.send(m.Deliver(1, 0, 0, 0, 1, 1), payload=memoryview(b"batch"))


class PartlySent(ClosingTransport):
    """Has sent all but some bytes of what was written."""

    unsent_bytes = 100

    def is_closing(self) -> bool:
        return False

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes


async def test_a_payload_of_which_little_is_unsent_counts_whole() -> None:
    """It is in memory until its last byte is sent, and many such need not be slow in any other
    way: their clients ask for no more."""
    near, far = socket.socketpair()
    with near, far:
        sessions = Sessions(Settings(), RealClock(), Counters())
        connection = Connection(sessions)
        transport = PartlySent(near)
        connection.connection_made(transport)
        connection.send(m.Deliver(1, 0, 0, 0, 1, 1), payload=memoryview(bytes(1 << 20)))
        assert not connection.paused
        await asyncio.sleep(0)
        assert 1 << 20 < sessions.outbound.used_bytes < 1.001 * (1 << 20)
        transport.unsent_bytes = 0
        connection.pause_writing()
        connection.resume_writing()
        assert not sessions.outbound.used_bytes


class ReadTransport(BrokenTransport):
    """Knows whether it is read from."""

    is_read = True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


class WorkingClock(RealClock):
    """Time that passes only where something is worked on."""

    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


class Flooded:
    """A connection on which so many requests have come at once; each takes a millisecond."""

    def __init__(self, requests: int, source: socket.socket) -> None:
        self.clock = WorkingClock()
        self.handled: list[int] = []
        self.sessions = Sessions(Settings(), self.clock, Counters())
        self.sessions.handle = self._handle
        self.transport = ReadTransport(source)
        self.connection = Connection(self.sessions)
        self.connection.connection_made(self.transport)
        self.connection.session.open(frame_bytes_max=1 << 20)
        for number in range(1, requests + 1):
            frame = encode_message(m.ListTopics(), correlation=number)
            self.connection.get_buffer(-1)[: len(frame)] = frame
            self.connection.session.reader.received(len(frame))
        self.connection.buffer_updated(0)

    def _handle(
        self, connection: Connection, message: m.Message, request: Request, payload: memoryview
    ) -> None:
        self.handled.append(request.correlation)
        self.clock.now_s += 0.001

    async def turns(self) -> list[int]:
        """How much was handled by the end of each turn of the loop, until it is read again."""
        seen = [len(self.handled)]
        while not self.transport.is_read:
            await asyncio.sleep(0)
            seen.append(len(self.handled))
        return seen


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield near, far


Ends = tuple[socket.socket, socket.socket]


async def test_a_flood_of_small_requests_leaves_turns_of_the_loop_to_others(ends: Ends) -> None:
    """Megabytes that come at once may hold a hundred thousand of them."""
    flooded = Flooded(18, ends[0])
    assert await flooded.turns() == [5, 10, 15, 18]
    assert flooded.handled == [*range(1, 19)]


async def test_who_is_not_to_be_read_is_not_after_a_flood(ends: Ends) -> None:
    flooded = Flooded(8, ends[0])
    flooded.sessions.crowded(1, True)
    flooded.sessions.crowded(1, False)
    assert not flooded.transport.is_read  # what has come is handled first
    flooded.sessions.crowded(1, True)
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(flooded.handled) == 8
    assert not flooded.transport.is_read
    flooded.sessions.crowded(1, False)
    assert flooded.transport.is_read


async def test_who_is_not_read_yet_after_a_flood_is_not_taken_for_dead(ends: Ends) -> None:
    flooded = Flooded(8, ends[0])
    for later_s in (1000, 2000):
        flooded.connection.check(flooded.clock.now_s + later_s)
    assert flooded.connection.is_open


async def test_what_a_flood_has_left_counts_when_the_connection_breaks(ends: Ends) -> None:
    flooded = Flooded(8, ends[0])
    ends[1].sendall(encode_message(m.ListTopics(), correlation=9))
    flooded.connection.connection_lost(BrokenPipeError())
    assert flooded.handled == [*range(1, 10)]
    await asyncio.sleep(0)
    assert flooded.handled == [*range(1, 10)]
    assert not flooded.sessions.memory.used_bytes


async def test_many_are_read_in_turns(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_turns, "_TURN_BYTES", 1)
    sessions, transports = Sessions(Settings(), WorkingClock(), Counters()), []
    sessions.handle = lambda connection, message, request, payload: None
    frame = encode_message(m.ListTopics(), correlation=1)
    for sent in (frame + frame[:-1], frame, frame[:1]):
        transports.append(ReadTransport(ends[0]))
        connection = Connection(sessions)
        connection.connection_made(transports[-1])
        connection.session.open(frame_bytes_max=1 << 20)
        connection.get_buffer(-1)[: len(sent)] = sent
        connection.buffer_updated(len(sent))
    seen = []
    for _ in range(3):
        seen.append([transport.is_read for transport in transports])
        await asyncio.sleep(0)
    assert seen == [[False, True, False], [True, True, False], [True, True, True]]
