import pytest

import tapemq
from tapemq.queues.message_batch import MessageBatch
from tapemq.wire import messages as m
from tests.support.queueing import World

pytestmark = pytest.mark.both_loops


async def first_batch(queue: tapemq.Queue) -> MessageBatch:
    async for batch in queue.batches():
        return batch
    raise AssertionError


async def test_batch_is_its_messages(world: World) -> None:
    async with world.queue() as queue:
        batch = await first_batch(queue)
        assert [(one.offset, one.value, one.attempt) for one in batch] == [
            (0, b"0", 1),
            (1, b"1", 1),
            (2, b"2", 1),
        ]
        assert (batch.attempt, batch.topic, batch.partition) == (1, "t", 0)


@pytest.mark.parametrize("verb", ["ack", "nack", "reject", "release"])
@pytest.mark.parametrize("confirm", [False, True])
async def test_verbs_settle_what_was_not_settled_before(
    world: World, verb: str, confirm: bool
) -> None:
    async with world.queue() as queue:
        batch = await first_batch(queue)
        one = next(iter(batch))
        await one.ack(confirm=True)
        await getattr(batch, verb)(confirm=confirm)
        await world.settled(3)
        assert world.acked()[0] == 0
        assert set(world.group.offsets(verb)) >= {1, 2}
        assert queue.lost == 0


async def test_delay_and_reason_of_a_batch(world: World) -> None:
    async with world.queue() as queue:
        batch = await first_batch(queue)
        await batch.nack(delay=2, reason="later")
        await world.settled(3)
    assert world.broker.queues.settlements[0][0] == m.Settle(1, "nack", False, 2000, "later")


async def test_what_was_lost_of_a_batch_is_counted_or_raised(world: World) -> None:
    async with world.queue() as queue:
        batch = await first_batch(queue)
        world.broker.queues.lose()
        await world.client.topics()
        await batch.ack()
        assert queue.lost == 3
        with pytest.raises(tapemq.LeaseLost):
            await batch.ack(confirm=True)


async def test_batch_of_which_each_message_was_settled_needs_nothing(world: World) -> None:
    async with world.queue() as queue:
        batch = await first_batch(queue)
        for message in batch:
            await message.ack()
        await batch.ack(confirm=True)
        await batch.nack()
        await world.settled(3)
        assert (world.acked(), queue.lost) == ([0, 1, 2], 0)
