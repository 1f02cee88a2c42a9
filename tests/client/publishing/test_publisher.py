import asyncio
from collections.abc import AsyncIterator

import pytest

import tapemq
from tapemq.batch import Codec, decode_prefix
from tapemq.network.link import Link
from tapemq.publishing.item import Item
from tapemq.publishing.lane import LaneOptions
from tapemq.publishing.open_batch import OpenBatch
from tapemq.publishing.publisher import Publisher
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tapemq.wire.errors import ErrorKind
from tapemq.wire.partitions import partition_of
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.sdk import Listener, QuickClock, link_to

pytestmark = pytest.mark.both_loops

TOO_LATE = m.Failure(wire.DEADLINE_EXCEEDED.code, "too late")


class Waiting:
    """Collects what becomes of its record."""

    def __init__(self) -> None:
        self.batch: OpenBatch | None = None
        self.outcome: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        self.duplicate = False

    def settle(self, partition: int, offset: int, receipt: m.Receipt) -> None:
        self.duplicate = receipt.duplicate
        self.outcome.set_result((partition, offset))

    def fail(self, error: Exception) -> None:
        self.outcome.set_exception(error)


class Publishing:
    """A publisher of one topic, with the broker that it publishes to."""

    def __init__(self, broker: FakeBroker, link: Link, publisher: Publisher) -> None:
        self.broker = broker
        self.link = link
        self.publisher = publisher

    def add(
        self, value: bytes, *, key: bytes | None = None, partition: int | None = None
    ) -> Waiting:
        waiter = Waiting()
        self.publisher.add(Item(value, key, b""), partition, 0, waiter)
        return waiter

    def add_batches(self, *values: bytes) -> list[Waiting]:
        """Each value in a batch of its own."""
        waiters = []
        for value in values:
            waiters.append(self.add(value))
            self.publisher.hurry()
        return waiters

    def stored(self, partition: int = 0) -> list[bytes | None]:
        return self.broker.topics["t"].partitions[partition].values


async def publishing(
    broker: FakeBroker, *, partitions: int = 1, options: LaneOptions | None = None
) -> Publishing:
    if "t" not in broker.topics:
        broker.create("t", partitions)
    link = link_to(broker)
    await link.open(30.0)
    publisher = Publisher(link, QuickClock(), "t", options or LaneOptions(100_000), 30.0)
    await publisher.open()
    return Publishing(broker, link, publisher)


@pytest.fixture
async def to() -> AsyncIterator[Publishing]:
    async with FakeBroker() as broker:
        to = await publishing(broker)
        yield to
        to.publisher.close()
        await to.link.close()


# The usual way


async def test_records_of_one_loop_iteration_leave_together(to: Publishing) -> None:
    waiters = [to.add(b"%d" % number) for number in range(5)]
    assert [await waiter.outcome for waiter in waiters] == [(0, offset) for offset in range(5)]
    assert to.stored() == [b"0", b"1", b"2", b"3", b"4"]
    assert len(to.broker.of(m.Publish)) == 1
    assert to.publisher.idle


async def test_records_gather_while_a_batch_is_in_flight(to: Publishing) -> None:
    to.broker.react(m.Publish, Reaction.HOLD)
    first = to.add(b"0")
    await to.broker.received(m.Publish)
    rest = [to.add(b"1"), to.add(b"2")]
    to.broker.release()
    await first.outcome
    assert [await waiter.outcome for waiter in rest] == [(0, 1), (0, 2)]
    assert len(to.broker.of(m.Publish)) == 2


async def test_lingering_batch_leaves_by_itself() -> None:
    async with FakeBroker() as broker:
        to = await publishing(broker, options=LaneOptions(100_000, linger_s=0.01))
        waiters = [to.add(b"0")]
        await asyncio.sleep(0)
        waiters.append(to.add(b"1"))
        await asyncio.gather(*(waiter.outcome for waiter in waiters))
        assert len(broker.of(m.Publish)) == 1
        await to.link.close()


async def test_batch_begun_by_the_record_that_filled_another_lingers_too() -> None:
    async with FakeBroker() as broker:
        to = await publishing(broker, options=LaneOptions(100, linger_s=0.01))
        waiters = [to.add(b"0" * 60), to.add(b"1" * 60)]
        await asyncio.gather(*(waiter.outcome for waiter in waiters))
        assert len(broker.of(m.Publish)) == 2
        await to.link.close()


async def test_records_without_a_key_take_turns_over_partitions() -> None:
    async with FakeBroker() as broker:
        to = await publishing(broker, partitions=3)
        waiters = to.add_batches(b"0", b"1", b"2", b"3")
        places = [await waiter.outcome for waiter in waiters]
        assert places == [(0, 0), (1, 0), (2, 0), (0, 1)]
        await to.link.close()


async def test_key_decides_the_partition() -> None:
    async with FakeBroker() as broker:
        to = await publishing(broker, partitions=3)
        for key in (b"a", b"b", b"c", b"d"):
            partition, _ = await to.add(b"", key=key).outcome
            assert partition == partition_of(key, 3)
        assert (await to.add(b"", key=b"a", partition=2).outcome)[0] == 2
        with pytest.raises(tapemq.PartitionNotFound, match="no partition 3: it has 3"):
            to.add(b"", partition=3)
        await to.link.close()


async def test_compressed_batches_are_readable() -> None:
    async with FakeBroker() as broker:
        to = await publishing(broker, options=LaneOptions(100_000, codec=Codec.ZLIB))
        await to.add(b"x" * 1000).outcome
        assert to.stored() == [b"x" * 1000]
        await to.link.close()


# Flow control


async def test_full_window_holds_batches_back() -> None:
    async with FakeBroker() as broker:
        broker.welcome = broker.welcome._replace(publish_window_bytes=3000)
        to = await publishing(broker)
        broker.react(m.Publish, *[Reaction.HOLD] * 2)
        waiters = to.add_batches(b"0" * 1000, b"1" * 1000, b"2" * 1000)
        await broker.received(m.Publish, 2)
        await to.link.call(m.ListTopics(), 30.0)
        assert len(broker.of(m.Publish)) == 2
        broker.release()
        await asyncio.gather(*(waiter.outcome for waiter in waiters))
        assert to.stored() == [b"0" * 1000, b"1" * 1000, b"2" * 1000]
        await to.link.close()


async def test_blocked_broker_gets_nothing_until_it_opens(to: Publishing) -> None:
    to.broker.flow(0, "disk low")
    await to.link.call(m.ListTopics(), 30.0)
    waiter = to.add(b"0")
    await to.link.call(m.ListTopics(), 30.0)
    assert not to.broker.of(m.Publish)
    to.broker.flow(1000)
    assert await waiter.outcome == (0, 0)


# Losses


@pytest.mark.parametrize("lost", [Reaction.CUT, Reaction.LOSE])
async def test_batches_in_flight_go_again_after_a_loss(to: Publishing, lost: Reaction) -> None:
    to.broker.react(m.Publish, Reaction.HANDLE, lost)
    waiters = to.add_batches(b"0", b"1", b"2")
    places = [await waiter.outcome for waiter in waiters]
    assert places == [(0, 0), (0, 1), (0, 2)]
    assert to.stored() == [b"0", b"1", b"2"]
    assert waiters[1].duplicate == (lost is Reaction.LOSE)


async def test_records_added_while_disconnected_leave_later(to: Publishing) -> None:
    listener = Listener(to.link)
    await to.broker.close()
    await listener.sees("down")
    waiters = [to.add(b"0"), to.add(b"1")]
    await to.broker.listen()
    assert [await waiter.outcome for waiter in waiters] == [(0, 0), (0, 1)]


async def test_lost_receipts_many_times_over(to: Publishing) -> None:
    to.broker.react(m.Publish, *[Reaction.LOSE, Reaction.CUT, Reaction.HANDLE] * 5)
    waiters = to.add_batches(*(b"%d" % number for number in range(10)))
    places = [await waiter.outcome for waiter in waiters]
    assert places == [(0, offset) for offset in range(10)]
    assert to.stored() == [b"%d" % number for number in range(10)]


# Refusals


@pytest.mark.parametrize("kind", [wire.OVERLOADED, wire.DISK_FULL], ids=lambda kind: kind.name)
async def test_refused_batch_goes_again_with_those_behind_it(
    to: Publishing, kind: ErrorKind
) -> None:
    to.broker.react(m.Publish, m.Failure(kind.code, "later", retry_after_ms=1))
    waiters = to.add_batches(b"0", b"1", b"2")
    assert [await waiter.outcome for waiter in waiters] == [(0, 0), (0, 1), (0, 2)]
    assert to.stored() == [b"0", b"1", b"2"]
    assert len(to.broker.of(m.Publish)) == 6


async def test_final_refusal_fails_everything_behind_it(to: Publishing) -> None:
    refusal = m.Failure(wire.STORAGE_FAILED.code, "damaged")
    to.broker.react(m.Publish, Reaction.HANDLE, refusal)
    waiters = to.add_batches(b"0", b"1", b"2")
    assert await waiters[0].outcome == (0, 0)
    for waiter in waiters[1:]:
        with pytest.raises(tapemq.StorageFailed, match="damaged"):
            await waiter.outcome
    assert isinstance(to.publisher.failure, tapemq.StorageFailed)


async def test_forgotten_producer_goes_on_in_a_new_epoch(to: Publishing) -> None:
    await to.add(b"0").outcome
    partition = to.broker.topics["t"].partitions[0]
    partition.producers.clear()
    waiters = to.add_batches(b"1", b"2")
    assert [await waiter.outcome for waiter in waiters] == [(0, 1), (0, 2)]
    last = decode_prefix(partition.batches[-1].data[88:])
    assert (last.producer_epoch, last.first_sequence) == (1, 1)


async def test_records_that_the_broker_lost_again_do_not_block_the_rest(to: Publishing) -> None:
    for waiter in to.add_batches(b"0", b"1"):
        await waiter.outcome
    partition = to.broker.topics["t"].partitions[0]
    partition.batches.pop()  # confirmed as written only, and lost in a power cut
    (producer,) = partition.producers.values()
    producer.expected = 1
    producer.recent.pop(1)
    waiters = to.add_batches(b"2", b"3")
    assert [await waiter.outcome for waiter in waiters] == [(0, 1), (0, 2)]
    assert to.stored() == [b"0", b"2", b"3"]


async def test_unknown_outcome_is_not_guessed(to: Publishing) -> None:
    await to.add(b"0").outcome
    to.broker.react(m.Publish, Reaction.LOSE)
    waiter = to.add(b"1")
    await to.broker.received(m.Publish, 2)
    to.broker.topics["t"].partitions[0].producers.clear()
    with pytest.raises(tapemq.IndeterminateError):
        await waiter.outcome


async def test_refused_retry_of_what_may_be_in_the_log_is_indeterminate(to: Publishing) -> None:
    refusal = m.Failure(wire.STORAGE_FAILED.code, "damaged meanwhile")
    to.broker.react(m.Publish, Reaction.LOSE, refusal)
    with pytest.raises(tapemq.IndeterminateError, match="damaged meanwhile"):
        await to.add(b"0").outcome
    assert to.stored() == [b"0"]


async def test_refusal_is_not_told_of_what_may_be_in_the_log() -> None:
    async with FakeBroker() as broker:
        to = await publishing(broker, partitions=2)
        refusal = m.Failure(wire.STORAGE_FAILED.code, "damaged")
        broker.react(m.Publish, Reaction.HOLD, refusal)
        stored, refused = to.add(b"0", partition=0), to.add(b"1", partition=1)
        with pytest.raises(tapemq.StorageFailed, match="damaged"):
            await refused.outcome
        with pytest.raises(tapemq.IndeterminateError, match="damaged"):
            await stored.outcome
        assert to.stored() == [b"0"]
        await to.link.close()


async def test_topic_that_was_made_again_is_found(to: Publishing) -> None:
    await to.add(b"0").outcome
    to.broker.create("t", partitions=1)
    assert await to.add(b"1").outcome == (0, 0)
    assert to.stored() == [b"1"]


async def test_unconfirmed_records_follow_a_topic_that_was_made_again(to: Publishing) -> None:
    await to.add(b"0").outcome
    to.broker.react(m.Publish, Reaction.LOSE)
    waiter = to.add(b"1")
    await to.broker.received(m.Publish, 2)
    to.broker.create("t", partitions=1)
    assert await waiter.outcome == (0, 0)
    assert to.stored() == [b"1"]


async def test_records_are_taken_while_the_topic_is_looked_up(to: Publishing) -> None:
    await to.add(b"0").outcome
    to.broker.create("t", partitions=1)
    to.broker.react(m.DescribeTopic, Reaction.HOLD)
    waiters = [to.add(b"1")]
    await to.broker.received(m.DescribeTopic, 2)
    waiters.append(to.add(b"2"))
    to.broker.release()
    assert [await waiter.outcome for waiter in waiters] == [(0, 0), (0, 1)]


async def test_topic_that_is_gone_fails_the_publisher(to: Publishing) -> None:
    await to.add(b"0").outcome
    del to.broker.topics["t"]
    to.broker.may_create = False
    with pytest.raises(tapemq.TopicNotFound):
        await to.add(b"1").outcome


async def test_publisher_goes_where_it_is_sent() -> None:
    async with FakeBroker() as broker, FakeBroker() as other:
        other.topics = broker.topics
        to = await publishing(broker)
        there = f"127.0.0.1:{other.port}"
        broker.react(m.Publish, m.Failure(wire.NOT_HERE.code, "moved", address=there))
        assert await to.add(b"0").outcome == (0, 0)
        assert len(other.of(m.Publish)) == 1
        await to.link.close()


async def test_failed_publisher_gives_everything_up(to: Publishing) -> None:
    to.broker.react(m.Publish, Reaction.HOLD)
    waiters = to.add_batches(b"0", b"1")
    await to.broker.received(m.Publish)
    waiters.append(to.add(b"2"))
    to.publisher.fail(tapemq.Closed("enough"))
    for waiter, kind in zip(
        waiters, [tapemq.IndeterminateError] * 2 + [tapemq.Closed], strict=True
    ):
        with pytest.raises(kind, match="enough"):
            await waiter.outcome
    to.broker.release()
    await to.link.call(m.ListTopics(), 30.0)
    assert to.publisher.idle
