"""Leases and verbs, through a real server."""

import asyncio

import pytest

from tapemq.batch import Codec, Columns, checksum, encode_body
from tapemq.wire import messages as m
from tapemq.wire.entries import pack_tokens, unpack_tokens
from tapemq.wire.limits import DELAY_MS_MAX
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.queue_client import QueueClient, Taken
from tests.support.raw_client import Refused
from tests.support.running_server import running_server


async def test_records_are_leased_settled_and_not_seen_again() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a", b"b", b"c", b"d")
        await client.consume(topic)
        [lease] = await client.leases(4)
        assert lease.records == {0: b"a", 1: b"b", 2: b"c", 3: b"d"}
        assert await client.settle("ack", lease.tokens(0, 2)) == []
        assert await client.settle("ack", lease.tokens(2, 3)) == lease.tokens(2)
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        await client.consume(topic)
        [lease] = await client.leases(1)
        assert (lease.records, lease.message.deliveries) == ({1: b"b"}, 0)


async def test_tokens_may_come_in_any_order_and_twice() -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, *(b"%d" % number for number in range(6)))
        await client.consume(topic)
        [lease] = await client.leases(6)
        assert await client.settle("ack", lease.tokens(3, 1, 0, 2)) == []
        lease_id = lease.message.lease_id
        lost = await client.settle("ack", [(lease_id, 4, 1), (lease_id, 2, 3), (lease_id, 5, 1)])
        assert [(token.first_offset, token.records) for token in lost] == [(2, 2), (4, 1)]
        queue = await client.ask(m.DescribeQueue(topic.topic_id, "g", 0), m.Queue)
        assert (queue.ack_floor, queue.acked) == (6, 6)


async def test_consumers_share_what_there_is() -> None:
    async with running_server() as server:
        clients = [await QueueClient.connect(server.port) for _ in range(3)]
        topic = await clients[0].topic("t")
        for client in clients:
            await client.consume(topic, credit_records=2)
        await clients[0].publish(topic, *(b"%d" % number for number in range(6)))
        taken = [await client.leases(2) for client in clients]
        offsets = [offset for leases in taken for lease in leases for offset in lease.offsets]
        assert sorted(offsets) == list(range(6))


async def test_credit_limits_what_is_leased_until_more_is_granted() -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, *(b"%d" % number for number in range(5)))
        await client.consume(topic, credit_records=2)
        assert (await client.leased()).offsets == [0, 1]
        client.send(m.Credit(1, 2, 1 << 20))
        assert (await client.leased()).offsets == [2, 3]
        queue = await client.ask(m.DescribeQueue(topic.topic_id, "g", 0), m.Queue)
        assert (queue.leased, queue.ready, queue.credit_records) == (4, 1, 0)


async def test_a_batch_is_cut_for_each_consumer_unless_it_is_compressed() -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        values = [b"%d" % number for number in range(4)]
        for codec in (Codec.NONE, Codec.ZLIB):
            body = encode_body(Columns(values), codec=codec)
            publish = m.Publish(topic.topic_id, 0, checksum(body))
            await client.ask(publish, m.Receipt, body)
        await client.consume(topic, credit_records=1)
        for expected in range(8):
            lease = await client.leased()
            assert lease.records == {expected: b"%d" % (expected % 4)}
            client.send(m.Credit(1, 1, 1 << 20))


async def failed_twice(client: QueueClient, topic: m.Topic) -> Taken:
    await client.publish(topic, b"a", b"b")
    await client.consume(topic)
    [lease] = await client.leases(2)
    await client.settle("nack", lease.tokens(0), by_policy=False, delay_ms=0, reason="first")
    again = await client.leased()
    assert (again.offsets, again.message.failures, again.message.deliveries) == ([0], 1, 1)
    await client.settle("reject", again.tokens(), reason="spoilt", error="ValueError: 7")
    return lease


async def test_failures_are_counted_and_the_dead_are_kept() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await failed_twice(client, topic)
        counts = server.status().totals["settled"]
        assert counts == {"nack": 1, "reject": 1}
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        queue = await client.ask(m.DescribeQueue(topic.topic_id, "g", 0), m.Queue)
        assert (queue.dead, queue.ready) == (1, 1)


async def test_a_lost_connection_gives_its_leases_back() -> None:
    async with running_server() as server:
        first, second = [await QueueClient.connect(server.port) for _ in range(2)]
        topic = await first.topic("t")
        await first.publish(topic, b"a", b"b")
        await first.consume(topic)
        [lease] = await first.leases(2)
        first.started(lease.tokens(1))
        await first.ask(m.Ping(), m.Pong)
        await second.consume(topic)
        first.close()
        taken = {lease.offsets[0]: lease.message.crashes for lease in await second.leases(2)}
        assert taken == {0: 0, 1: 1}


async def test_unsubscribing_gives_leases_back_and_ends_deliveries() -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        await client.consume(topic)
        [lease] = await client.leases(1)
        client.started(lease.tokens())
        await client.ask(m.Unsubscribe(1), m.Done)
        await client.consume(topic, subscription=2)
        [again] = await client.leases(1)
        assert (again.message.crashes, again.message.deliveries) == (0, 1)


async def test_extending_is_answered_at_once() -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        await client.consume(topic)
        [lease] = await client.leases(1)
        stranger = (lease.message.lease_id + 9, 0, 1)
        payload = pack_tokens([*lease.tokens(), stranger])
        settled = await client.ask(m.Extend(1, 60_000), m.Settled, payload)
        assert (settled.lost, unpack_tokens(client.payload)) == (1, [stranger])


async def test_a_lease_that_is_named_again_and_again_is_extended_once() -> None:
    """Each mention would else be looked at: 4,096 of a large lease take the loop for seconds."""
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, *(b"a" for _ in range(1000)))
        await client.consume(topic, credit_records=1000)
        [lease] = await client.leases(1)
        await client.settle("ack", [(lease.message.lease_id, at, 1) for at in range(0, 1000, 2)])
        payload = pack_tokens([(lease.message.lease_id, 0, 1000)] * 4096)
        settled = await client.ask(m.Extend(1, 60_000), m.Settled, payload)
        assert settled.lost == 500
        assert len(unpack_tokens(client.payload)) == 500


async def test_a_stop_of_the_broker_counts_no_crash() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        await client.consume(topic, settings={"max_attempts": 1})
        [lease] = await client.leases(1)
        client.started(lease.tokens())
        await client.ask(m.Ping(), m.Pong)  # Started has arrived
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        await client.consume(topic)
        [lease] = await client.leases(1)
        assert (lease.message.crashes, lease.message.failures) == (0, 0)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (m.Consume(1, 0, "g"), "stale_metadata"),
        (m.Settle(1, "ack"), "unknown_subscription"),
        (m.Settle(1, "eat"), "bad_request"),
        (m.Extend(1), "unknown_subscription"),
        (m.Extend(1, (1 << 40) + 1), "bad_request"),
    ],
)
async def test_what_cannot_be_done_is_refused(message: m.Message, name: str) -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        with pytest.raises(Refused) as refused:
            await client.ask(message, m.Done)
        assert refused.value.name == name


@pytest.mark.parametrize("group", ["", ".hidden", "with space"])
async def test_group_needs_a_good_name(group: str) -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        with pytest.raises(Refused) as refused:
            await client.consume(await client.topic("t"), group)
        assert refused.value.name == "bad_request"


async def test_subscription_numbers_are_shared_by_streams_and_queues() -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.consume(topic)
        await client.subscribe(topic, subscription=2)
        for again in (
            client.subscribe(topic, subscription=1),
            client.consume(topic, subscription=2),
        ):
            with pytest.raises(Refused) as refused:
                await again
            assert refused.value.name == "bad_request"


async def test_a_connection_has_only_so_many_subscriptions_of_both_kinds() -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        for number in range(0, 64, 2):
            await client.consume(topic, subscription=number)
            await client.subscribe(topic, subscription=number + 1)
        for again in (
            client.consume(topic, subscription=90),
            client.subscribe(topic, subscription=90),
        ):
            with pytest.raises(Refused) as refused:
                await again
            assert "at most 64" in refused.value.failure.text


async def test_a_group_starts_at_a_time() -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        receipt = await client.publish(topic, b"b")
        await client.consume(topic, start="time", start_value=receipt.append_time_us)
        assert (await client.leased()).offsets == [1]


async def test_a_delay_beyond_all_times_is_refused() -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a", b"b")
        await client.consume(topic)
        [lease] = await client.leases(2)
        tokens, most = lease.tokens(0), DELAY_MS_MAX
        with pytest.raises(Refused, match="delay_ms") as refused:
            await client.settle("nack", tokens, by_policy=False, delay_ms=most + 1)
        assert refused.value.name == "bad_request"
        assert await client.settle("nack", tokens, by_policy=False, delay_ms=most) == []
