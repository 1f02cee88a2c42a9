import pytest

import tapemq
from tests.support.blocking_queueing import QueueWorld


@pytest.mark.parametrize("verb", ["ack", "nack", "reject", "release"])
@pytest.mark.parametrize("confirm", [False, True])
def test_verbs_settle_what_was_not_settled_before(
    world: QueueWorld, verb: str, confirm: bool
) -> None:
    with world.queue() as queue:
        batch = next(queue.batches())
        assert [(one.offset, one.value, one.attempt) for one in batch] == [
            (0, b"0", 1),
            (1, b"1", 1),
            (2, b"2", 1),
        ]
        next(iter(batch)).ack(confirm=True)
        getattr(batch, verb)(confirm=confirm)
        world.settled(3)
        assert world.said("ack")[0] == 0
        assert set(world.said(verb)) >= {1, 2}
        assert (queue.lost, batch.attempt) == (0, 1)


def test_what_was_lost_of_a_batch_is_counted_or_raised(world: QueueWorld) -> None:
    with world.queue() as queue:
        batch = next(queue.batches())
        world.lose()
        batch.ack()
        assert queue.lost == 3
        with pytest.raises(tapemq.LeaseLost):
            batch.ack(confirm=True)


def test_batch_of_which_each_message_was_settled_needs_nothing(world: QueueWorld) -> None:
    with world.queue() as queue:
        batch = next(queue.batches())
        for message in batch:
            message.ack()
        batch.ack(confirm=True)
        batch.nack()
        assert queue.lost == 0
    assert (world.said("ack"), world.said("nack")) == ([0, 1, 2], [])
