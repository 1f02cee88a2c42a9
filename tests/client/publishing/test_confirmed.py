import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

import tapemq
from tapemq.publishing.confirmed import PendingPublish
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.sdk import SENT_BY_THEN_S, client_of

pytestmark = pytest.mark.both_loops

TOO_LITTLE_S = 0.05


def start(work: Coroutine[Any, Any, tapemq.Receipt]) -> asyncio.Task[tapemq.Receipt]:
    return asyncio.ensure_future(work)


async def test_receipt_says_where_the_record_is() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        first = await client.publish("t", "a")
        second = await client.publish("t", b"b", key="k", headers={"h": 1}, durability="written")
        assert first[:5] == ("t", 0, 0, False, "durable")
        assert second[:5] == ("t", 0, 1, False, "written")
        assert [publish.level for publish in broker.of(m.Publish)] == [0, 1]


async def test_concurrent_calls_keep_their_order_and_share_batches() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        receipts = await asyncio.gather(*(client.publish("t", b"%d" % n) for n in range(100)))
        assert [receipt.offset for receipt in receipts] == list(range(100))
        assert broker.topics["t"].partitions[0].values == [b"%d" % n for n in range(100)]
        assert len(broker.of(m.Publish)) == 1


async def test_call_does_not_overtake_those_that_wait_for_the_topic() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.DescribeTopic, Reaction.HOLD)
        tasks = [start(client.publish("t", b"%d" % n)) for n in range(3)]
        await broker.received(m.DescribeTopic)
        tasks += [start(client.publish("t", b"%d" % n)) for n in range(3, 6)]
        await asyncio.sleep(0)
        broker.release()
        await broker.received(m.OpenProducer)
        tasks.append(start(client.publish("t", b"6")))
        receipts = await asyncio.gather(*tasks)
        assert [receipt.offset for receipt in receipts] == list(range(7))


async def test_lost_receipt_is_a_duplicate_with_the_original_offset() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        await client.publish("t", b"0")
        broker.react(m.Publish, Reaction.LOSE)
        receipt = await client.publish("t", b"1")
        assert (receipt.offset, receipt.duplicate) == (1, True)
        assert broker.topics["t"].partitions[0].values == [b"0", b"1"]


async def test_missing_topic_is_told_and_can_come_later() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.may_create = False
        with pytest.raises(tapemq.TopicNotFound):
            await client.publish("t", b"0")
        broker.create("t")
        assert (await client.publish("t", b"0")).offset == 0


async def test_missing_partition_is_told() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        for _ in range(2):  # before the topic is known, and after
            with pytest.raises(tapemq.PartitionNotFound):
                await client.publish("t", b"0", partition=5)


async def test_partition_that_is_no_integer_harms_no_other_record() -> None:
    wrong: Any = 0.0
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.DescribeTopic, Reaction.HOLD)
        waiting = asyncio.ensure_future(client.publish("t", b"0", partition=0))
        await broker.received(m.DescribeTopic)
        with pytest.raises(TypeError):
            await client.publish("t", b"?", partition=wrong)
        broker.release()
        assert (await waiting).offset == 0
        with pytest.raises(TypeError):
            await client.publish("t", b"?", partition=wrong)
        assert (await client.publish("t", b"1", partition=False)).offset == 1


async def test_failure_does_not_outlive_its_records() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.Publish, m.Failure(wire.FENCED.code, "fenced"))
        with pytest.raises(tapemq.Fenced):
            await client.publish("t", b"0")
        assert (await client.publish("t", b"1")).offset == 0
        assert len(broker.of(m.OpenProducer)) == 2


# Running out of time


async def test_record_that_was_sent_is_indeterminate() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        await client.publish("t", b"0")
        broker.react(m.Publish, Reaction.HOLD)
        with pytest.raises(tapemq.IndeterminateError, match=r"within 0\.5 s"):
            await client.publish("t", b"1", timeout=SENT_BY_THEN_S)
        broker.release()
        assert (await client.publish("t", b"2")).offset == 2


async def test_record_that_was_not_sent_never_is() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        await client.publish("t", b"0")
        broker.flow(0, "disk low")
        await client.topic("t")
        with pytest.raises(tapemq.TimeoutError, match=r"could not be sent .*disk low"):
            await client.publish("t", b"1", timeout=TOO_LITTLE_S)
        broker.flow(1000)
        assert (await client.publish("t", b"2")).offset == 1
        assert broker.topics["t"].partitions[0].values == [b"0", b"2"]


async def test_record_whose_topic_was_not_found_in_time_never_leaves() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.DescribeTopic, Reaction.HOLD)
        with pytest.raises(tapemq.TimeoutError):
            await client.publish("t", b"0", timeout=TOO_LITTLE_S)
        broker.release()
        assert (await client.publish("t", b"1")).offset == 0


async def test_topic_is_looked_up_again_as_long_as_it_takes() -> None:
    async with FakeBroker() as broker, await client_of(broker, timeout=TOO_LITTLE_S) as client:
        broker.react(m.DescribeTopic, Reaction.IGNORE, Reaction.IGNORE)
        assert (await client.publish("t", b"0", timeout=30.0)).offset == 0


async def test_cancelled_record_that_was_not_sent_never_is() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        await client.publish("t", b"0")
        broker.react(m.Publish, Reaction.HOLD)
        sent = start(client.publish("t", b"1"))
        await broker.received(m.Publish, 2)
        waiting = [start(client.publish("t", b"%d" % n)) for n in (2, 3, 4)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.wait([waiting[1]])
        broker.release()
        receipts = await asyncio.gather(sent, waiting[0], waiting[2])
        assert [receipt.offset for receipt in receipts] == [1, 2, 3]
        assert broker.topics["t"].partitions[0].values == [b"0", b"1", b"2", b"4"]


@pytest.mark.parametrize("is_cancelled_first", [True, False])
async def test_record_that_is_late_and_cancelled_at_once_is_withdrawn_once(
    is_cancelled_first: bool,
) -> None:
    """As by an asyncio.timeout() that ends when the call's own does."""
    async with FakeBroker() as broker, await client_of(broker) as client:
        await client.publish("t", b"0")
        broker.flow(0, "disk low")
        await client.topic("t")
        publishing = start(client.publish("t", b"1"))
        await asyncio.sleep(0)
        publisher = client._publishers.of("t")
        batch = publisher._publisher._lanes[0].open
        assert batch is not None
        (pending,) = batch.waiters
        ends: list[Callable[[], object]] = [
            publishing.cancel,
            lambda: publisher._expire(cast(PendingPublish, pending), 1.0),
        ]
        for end in ends if is_cancelled_first else reversed(ends):
            end()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        broker.flow(1000)
        assert (await client.publish("t", b"2")).offset == 1


# Closing


async def test_close_waits_for_what_is_unconfirmed() -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        await client.publish("t", b"0")
        broker.react(m.Publish, Reaction.HOLD)
        task = start(client.publish("t", b"1"))
        await broker.received(m.Publish, 2)
        closing = asyncio.ensure_future(client.close())
        await asyncio.sleep(0)
        assert not closing.done()
        broker.release()
        await closing
        assert (await task).offset == 1
        with pytest.raises(tapemq.Closed):
            await client.publish("t", b"2")


async def test_close_does_not_wait_for_what_was_given_up() -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        broker.react(m.Publish, Reaction.IGNORE)
        with pytest.raises(tapemq.IndeterminateError):
            await client.publish("t", b"0", timeout=SENT_BY_THEN_S)
        await client.close(timeout=1000.0)


async def test_publish_before_the_close_is_not_lost() -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        task = start(client.publish("t", b"0"))
        await asyncio.sleep(0)
        await client.close()
        assert (await task).offset == 0
