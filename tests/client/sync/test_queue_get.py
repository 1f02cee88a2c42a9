"""Taking one message of a queue without asyncio, and waiting for it no longer than is wanted."""

import pytest

import tapemq
from tapemq import sync
from tests.support.blocking import LONG_S, in_thread, outcome
from tests.support.blocking_queueing import QueueWorld, take

ALL = list(range(10))


def rest(queue: sync.Queue) -> list[int]:
    """Take and ack all that is here."""
    offsets = []
    while (message := queue.get(timeout=0)) is not None:
        offsets.append(message.offset)
        message.ack()
    return offsets


def test_one_message_after_the_other_and_none_when_no_more_are_here(world: QueueWorld) -> None:
    with world.queue() as queue:
        first = queue.get()
        assert first is not None
        assert (first.offset, first.value) == (0, b"0")
        first.ack()
        (second,) = take(queue, 1)
        second.ack()
        world.client.topics()  # an answer behind all leases: they have arrived
        assert rest(queue) == ALL[2:]
        world.client.publish("t", b"10")
        last = queue.get(timeout=LONG_S)
        assert last is not None
        last.ack()
    assert world.said("ack") == [*ALL, 10]


def test_one_that_comes_again_is_here_as_any_other(world: QueueWorld) -> None:
    with world.queue() as queue:
        for message in take(queue, 10):
            message.nack(delay=0)
        world.settled(10)
        world.client.topics()
        again = queue.get(timeout=0)
        assert again is not None
        assert (again.offset, again.attempt) == (0, 2)


def test_stop_ends_waiting(world: QueueWorld) -> None:
    with world.queue() as queue:
        take(queue, 10)
        getting = in_thread(queue.get)
        queue.stop()
        assert outcome(getting) is None


def test_who_looks_again_and_again_leaves_nothing_behind(world: QueueWorld) -> None:
    with world.queue() as queue:
        take(queue, 10)
        for timeout in (0, -1, 0.001, 0.001):
            assert queue.get(timeout=timeout) is None
        assert not queue._subscriber.changes._waiting


def test_what_iterating_raises_is_raised(world: QueueWorld) -> None:
    with pytest.raises(tapemq.Closed):
        world.queue().get(timeout=0)
    with world.queue() as queue, pytest.raises(ValueError, match="timeout is a number of seconds"):
        queue.get(timeout=float("nan"))
