import pytest

import tapemq
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import in_thread, outcome
from tests.support.blocking_queueing import QueueWorld, take, work


def test_it_consumes_as_it_was_asked_to(world: QueueWorld) -> None:
    with world.queue(prefetch=7, start=4, consumer="me", lease=60):
        (consume,) = world.thread.received(m.Consume)
    assert (consume.group, consume.consumer, consume.credit_records) == ("g", "me", 7)
    assert (consume.start, consume.start_value) == ("offset", 4)
    assert consume.settings == {"lease_ms": 60_000}


def test_it_consumes_again_after_a_loss(world: QueueWorld) -> None:
    with world.queue() as queue:
        take(queue, 1)
        world.thread.cut()
        world.thread.received(m.Consume, 2)
        assert sorted(work(queue, 10)) == list(range(10))


def test_refusal_is_raised(world: QueueWorld) -> None:
    world.thread.react(m.Consume, m.Failure(wire.BAD_REQUEST.code, "a stream group"))
    with pytest.raises(tapemq.RequestRefused, match="a stream group"), world.queue():
        pass


def test_lost_leases_are_told(world: QueueWorld, caplog: pytest.LogCaptureFixture) -> None:
    with world.queue() as queue:
        (message,) = take(queue, 1)
        world.lose()
        assert message.lease_lost
        assert "lost the leases of 3 messages: expired" in caplog.text


def test_who_waits_for_what_was_not_said_learns_that_it_was_lost(world: QueueWorld) -> None:
    with world.queue() as queue:
        (message,) = take(queue, 1)
        queue._desk._connection = lambda: None  # type: ignore[method-assign]
        settling = in_thread(message.ack, confirm=True)
        while not queue._desk._waiters and not settling.done():
            pass
        world.thread.cut()
        with pytest.raises(tapemq.LeaseLost):
            outcome(settling)
        del queue._desk._connection
        world.client.topics()  # it has connected again
