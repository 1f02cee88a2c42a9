import signal

import pytest

import tapemq
from tapemq.queues import ledger as ledger_module
from tapemq.sync import desk as desk_module
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import in_thread, interrupted_when, outcome
from tests.support.blocking_queueing import QueueWorld, take, work
from tests.support.fake_broker import Reaction


def test_what_is_settled_is_gathered_and_said_by_the_reader(world: QueueWorld) -> None:
    with world.queue() as queue:
        messages = take(queue, 10)
        with world.client._shared.lock:
            for message in messages:
                message.ack()
        world.settled(10)
        assert len(world.thread.received(m.Settle)) == 1


def test_leases_are_renewed_while_a_handler_blocks_its_thread(world: QueueWorld) -> None:
    world.set(lease_ms=30)
    with world.queue() as queue:
        (message,) = take(queue, 1)
        with message.process():
            extends = world.thread.received(m.Extend, 3)  # this thread waits meanwhile
        assert {extend.lease_ms for extend in extends} == {0}, "their own time"
        leases = {entry.lease_id for entry in world.thread.broker.queues.extended}
        assert leases == set(world.thread.broker.queues.leases)  # buffered ones, too


def test_lease_that_cannot_be_renewed_is_lost(world: QueueWorld) -> None:
    world.set(lease_ms=30)
    with world.queue(prefetch=1) as queue:
        (message,) = take(queue, 1)
        world.thread.call(world.thread.broker.queues.leases.clear)
        while not message.lease_lost:
            world.client.topics()


def test_refused_settlement_is_raised_or_logged(
    world: QueueWorld, caplog: pytest.LogCaptureFixture
) -> None:
    refused = m.Failure(wire.STORAGE_FAILED.code, "damaged")
    world.thread.react(m.Settle, refused, refused)
    with world.queue() as queue:
        one, two = take(queue, 2)
        one.ack()
        world.thread.received(m.Settle)
        with pytest.raises(tapemq.StorageFailed):
            two.ack(confirm=True)
    assert "not confirmed: damaged" in caplog.text


def test_an_overloaded_broker_is_told_again_of_what_was_settled(
    world: QueueWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_AGAIN_S", 0.0)
    busy = m.Failure(wire.OVERLOADED.code, "too many requests wait for the broker's disk")
    world.thread.react(m.Settle, busy, busy)
    with world.queue() as queue:
        one, two = take(queue, 2)
        one.ack(confirm=True)
        world.thread.react(m.Settle, busy)
        two.ack()
    assert world.said("ack") == [0, 1]
    assert queue.lost == 0


def test_leaving_waits_until_all_is_on_disk(world: QueueWorld) -> None:
    world.thread.react(m.Settle, Reaction.HOLD)
    queue = world.queue().__enter__()
    take(queue, 1)[0].ack()
    leaving = in_thread(queue.__exit__, None, None, None)
    world.thread.received(m.Settle)
    world.client.topics()
    assert not leaving.done()
    world.thread.release()
    outcome(leaving)


@pytest.mark.parametrize("handling", [False, True])
def test_leaving_gives_up_at_last(
    world: QueueWorld,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    handling: bool,
) -> None:
    monkeypatch.setattr(desk_module, "DRAIN_S", 0.01)
    world.thread.react(m.Settle, Reaction.HOLD)
    with world.queue() as queue:
        (message,) = take(queue, 1)
        if handling:
            message.process().__enter__()
        else:
            message.ack()
    assert "left with handlers at work, or unconfirmed settlements" in caplog.text
    world.thread.release()


def test_no_credit_is_granted_while_stopping(world: QueueWorld) -> None:
    with world.queue(prefetch=4) as queue:
        messages = take(queue, 4)
        queue.stop()
        for message in messages:
            message.ack(confirm=True)
    assert not world.thread.call(lambda: world.thread.broker.of(m.Credit))
    assert sorted(world.thread.call(lambda: world.group.history)) == [
        ("ack", 0, offset) for offset in range(4)
    ]


@pytest.mark.usefixtures("interruptible")
def test_interrupt_of_a_handler_gives_its_message_back(world: QueueWorld) -> None:
    with world.queue() as queue:
        with pytest.raises(KeyboardInterrupt):
            work(queue, 10, lambda _: signal.raise_signal(signal.SIGINT))
        world.settled(1)
        assert world.said("release") == [0]
        assert sorted(work(queue, 10)) == list(range(10))
    assert sorted(world.said("ack")) == list(range(10))


@pytest.mark.usefixtures("interruptible")
def test_interrupt_while_waiting_leaves_the_queue_as_it_is(world: QueueWorld) -> None:
    with world.queue() as queue:
        work(queue, 10)

        def is_waiting() -> bool:
            with world.client._shared.lock:
                return bool(queue._subscriber.changes._waiting)

        with interrupted_when(is_waiting), pytest.raises(KeyboardInterrupt):
            next(iter(queue))
        world.client.publish("t", b"10")
        assert work(queue, 1) == [10]
