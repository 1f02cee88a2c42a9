"""Queue groups on full disks, over power cuts, with clients that do not read or cannot."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tapemq.wire import messages as m
from tapemq.wire.entries import pack_tokens, unpack_tokens
from tapemq_broker.server.server import Server
from tapemq_broker.storage.disk import File
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.ahead_clock import AheadClock
from tests.support.full_disk import FullDisk
from tests.support.queue_client import QueueClient
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server


class CuttingDisk(MemoryDisk):
    """A disk that remembers what a power cut at any sync would have left."""

    def __init__(self) -> None:
        super().__init__(post=asyncio.get_running_loop().call_soon)
        self.is_dead = False

    def sync(self, files: Sequence[File], done: object) -> None:
        if not self.is_dead:
            super().sync(files, done)  # type: ignore[arg-type]


def abandon(server: Server) -> None:
    """Let go of a broker that cannot stop cleanly any more."""
    assert server._listener is not None
    server._listener.close()
    server._timers.stop()
    RawClient.close_all()
    server.stopped = True


async def test_a_confirmed_ack_is_final_and_nothing_is_lost() -> None:
    """The disk stops between two syncs; what was confirmed by then is settled after the start."""
    disk = CuttingDisk()
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, *(b"%d" % number for number in range(20)))
        await client.consume(topic)
        [lease] = await client.leases(20)
        await client.settle("ack", lease.tokens(*range(0, 20, 2)))
        disk.is_dead = True
        late = client.send(m.Settle(1, "ack"), pack_tokens(lease.tokens(1, 3)))
        await client.ask(m.Ping(), m.Pong)
        assert late not in client._answers
        disk.power_cut()
        abandon(server)
    disk.is_dead = False
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        await client.consume(topic)
        taken = await client.leases(10)
        offsets = [offset for lease in taken for offset in lease.offsets]
        assert sorted(offsets) == list(range(1, 20, 2))


async def test_an_ack_waits_for_a_full_disk() -> None:
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a", b"b")
        await client.consume(topic)
        [lease] = await client.leases(2)
        disk.full = True
        sent = client.send(m.Settle(1, "ack"), pack_tokens(lease.tokens(0)))
        await client.ask(m.Ping(), m.Pong)
        assert sent not in client._answers
        disk.full = False
        await client.publish(topic, b"c")
        assert (await client.answer(sent, m.Settled)).lost == 0


async def test_a_failure_is_on_disk_before_the_record_comes_back() -> None:
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        await client.consume(topic)
        [lease] = await client.leases(1)
        disk.full = True
        nack = m.Settle(1, "nack", by_policy=False)
        sent = client.send(nack, pack_tokens(lease.tokens()))
        queue = await client.ask(m.DescribeQueue(topic.topic_id, "g", 0), m.Queue)
        assert (queue.ready, queue.leased, queue.retrying) == (0, 0, 1)
        disk.full = False
        await client.publish(topic, b"b")
        await client.answer(sent, m.Settled)
        again = await client.leases(2)
        assert {lease.offsets[0]: lease.message.failures for lease in again} == {0: 1, 1: 0}


async def test_a_consumer_that_does_not_read_holds_nobody_up() -> None:
    async with running_server(outbound_high_bytes=1000, outbound_low_bytes=500) as server:
        slow, quick = [await QueueClient.connect(server.port) for _ in range(2)]
        topic = await slow.topic("t")
        plenty: dict[str, Any] = {"credit_records": 10_000, "credit_bytes": 1 << 40}
        await slow.consume(topic, **plenty)
        for _ in range(40):  # more than the sockets' buffers hold
            await quick.publish(topic, bytes(1 << 19))
        await quick.consume(topic, **plenty)
        await quick.publish(topic, b"for who reads")
        last = [await quick.leased()]
        while 40 not in last[-1].records:
            last.append(await quick.leased())
        queue = await quick.ask(m.DescribeQueue(topic.topic_id, "g", 0), m.Queue)
        mine = sum(len(lease.records) for lease in last)
        assert mine < 41
        await slow.leases(41 - mine)
        assert queue.leased == 41


async def test_a_second_connection_keeps_the_leases_of_the_first() -> None:
    clock = AheadClock()
    async with running_server(clock=clock) as server:
        first, second = [await QueueClient.connect(server.port) for _ in range(2)]
        keeper = RawClient(*await asyncio.open_connection("127.0.0.1", server.port))
        await keeper.ask(m.Hello([1], "keeper", resume=first.welcome.session), m.Welcome)
        topic = await first.topic("t")
        await first.publish(topic, b"a", b"b")
        kept = None
        for client in (first, second):
            await client.consume(topic, settings={"lease_ms": 10_000}, credit_records=1)
            lease = await client.leased()
            kept = kept or lease
        clock.monotonic_ahead_s = clock.wall_ahead_s = 9.0
        await keeper.ask(m.Ping(), m.Pong)
        clock.monotonic_ahead_s = clock.wall_ahead_s = 12.0
        await second.push_of(m.LeaseLost)
        assert kept is not None
        assert await first.settle("ack", kept.tokens()) == []


async def test_leases_run_out_where_nothing_keeps_them() -> None:
    clock = AheadClock()
    async with running_server(clock=clock) as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        await client.consume(topic, settings={"lease_ms": 10_000})
        lease = await client.leased()
        clock.monotonic_ahead_s = clock.wall_ahead_s = 11.0
        message, payload = await client.push_of(m.LeaseLost)
        assert (message.reason, unpack_tokens(payload)) == ("expired", lease.tokens())
        again = await client.leased()
        assert (again.offsets, again.message.crashes, again.message.deliveries) == ([0], 0, 1)


@pytest.mark.parametrize("expire_dead", [False, True])
async def test_records_past_their_time_are_not_delivered(expire_dead: bool) -> None:
    clock = AheadClock()
    async with running_server(clock=clock) as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t", settings={"ttl_s": 10})
        await client.publish(topic, b"old", b"old")
        clock.monotonic_ahead_s = clock.wall_ahead_s = 11.0
        await client.publish(topic, b"new")
        await client.consume(topic, settings={"expire_dead": expire_dead})
        assert (await client.leased()).records == {2: b"new"}
        queue = await client.ask(m.DescribeQueue(topic.topic_id, "g", 0), m.Queue)
        assert (queue.expired, queue.dead) == (2, 2 if expire_dead else 0)
        assert (queue.ack_floor, queue.credit_records) == (2, 999)


@pytest.mark.parametrize("deletes", ["topic", "group"])
async def test_consumers_hear_of_what_is_deleted(deletes: str) -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        await client.consume(topic)
        [lease] = await client.leases(1)
        if deletes == "topic":
            await client.ask(m.DeleteTopic("t"), m.Done)
            await client.push_of(m.LeaseLost)
        else:
            await client.ask(m.Unsubscribe(1), m.Done)
            await client.ask(m.DeleteGroup(topic.topic_id, "g"), m.Done)
            await client.consume(topic)
            [again] = await client.leases(1)
            assert again.message.lease_id != lease.message.lease_id
