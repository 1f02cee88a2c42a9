import pytest

import tapemq
from tapemq.wire import messages as m
from tests.support.blocking import in_thread, outcome
from tests.support.blocking_queueing import QueueWorld, take
from tests.support.fake_broker import Reaction


def test_verbs(world: QueueWorld) -> None:
    with world.queue() as queue:
        one, two, three, four, five = take(queue, 5)
        with world.client._shared.lock:  # so that all is said at once
            one.ack()
            two.nack(delay=1.5, reason="busy")
            three.reject(reason="bad")
            four.release()
            five.nack()
        world.settled(5)
        said = [settle for settle, _ in world.thread.broker.queues.settlements]
        assert said[:5] == [
            m.Settle(1, "nack", by_policy=False, delay_ms=1500, reason="busy"),
            m.Settle(1, "reject", reason="bad"),
            m.Settle(1, "release"),
            m.Settle(1, "nack"),
            m.Settle(1, "ack"),
        ]


@pytest.mark.parametrize("verb", ["ack", "nack", "reject", "release"])
def test_confirmed_is_on_disk(world: QueueWorld, verb: str) -> None:
    world.thread.react(m.Settle, Reaction.HOLD)
    with world.queue() as queue:
        (message,) = take(queue, 1)
        settling = in_thread(getattr(message, verb), confirm=True)
        world.thread.received(m.Settle)
        world.client.topics()
        assert not settling.done()
        world.thread.release()
        outcome(settling)
        assert world.said(verb) == [0]


def test_too_late_is_raised_only_if_it_is_confirmed(
    world: QueueWorld, caplog: pytest.LogCaptureFixture
) -> None:
    with world.queue() as queue:
        one, two, three = take(queue, 3)
        world.thread.call(world.thread.broker.queues.leases.clear)  # the push is under way
        with pytest.raises(tapemq.LeaseLost, match="offset 0"):
            one.ack(confirm=True)
        two.ack()
        with pytest.raises(tapemq.LeaseLost, match="offset 2"):
            three.extend(60)
        assert three.lease_lost
        with pytest.raises(tapemq.LeaseLost):
            three.extend(60)
    assert queue.lost == 2
    assert "settled too late" in caplog.text


def test_settled_twice_is_too_late(world: QueueWorld) -> None:
    with world.queue() as queue:
        (message,) = take(queue, 1)
        message.ack()
        message.nack()
        assert queue.lost == 1
        with pytest.raises(tapemq.LeaseLost):
            message.ack(confirm=True)
    assert (world.said("ack"), world.said("nack")) == ([0], [])


def test_lost_answer_leaves_it_open(world: QueueWorld) -> None:
    world.thread.react(m.Settle, Reaction.LOSE)
    with world.queue() as queue:
        (message,) = take(queue, 1)
        with pytest.raises(tapemq.IndeterminateError):
            message.ack(confirm=True)
        world.client.topics()  # it has connected again
        assert world.said("ack") == [0]


@pytest.mark.parametrize("kind", [m.Settle, m.Extend])
def test_no_answer_in_time_leaves_it_open(world: QueueWorld, kind: type) -> None:
    world.thread.react(kind, Reaction.IGNORE)
    with world.queue() as queue:
        queue._desk._timeout_s = 0.01
        (message,) = take(queue, 1)
        with pytest.raises(tapemq.IndeterminateError, match=r"0\.01 s"):
            message.ack(confirm=True) if kind is m.Settle else message.extend(5)
        world.thread.cut()
        world.client.topics()  # it has connected again


def test_extend(world: QueueWorld) -> None:
    with world.queue() as queue:
        (message,) = take(queue, 1)
        message.extend(60)
        assert world.thread.received(m.Extend)[0].lease_ms == 60_000
        assert world.thread.broker.queues.extended[0].first_offset == 0
