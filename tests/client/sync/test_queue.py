import threading
from concurrent.futures import Future
from itertools import islice
from typing import Any

import pytest

import tapemq
from tapemq import sync
from tapemq.sync import beginning
from tapemq.sync.beginning import Beginning
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tapemq.wire.entries import pack_tokens
from tests.support.blocking import LONG_S, BrokerThread, in_thread, interrupted_when, outcome
from tests.support.blocking_queueing import QueueWorld, take, work
from tests.support.fake_broker import Reaction

ALL = list(range(10))


# Taking messages


def test_each_message_is_handled_and_acked(world: QueueWorld) -> None:
    with world.queue() as queue:
        assert work(queue, 10) == ALL
    assert world.said("ack") == ALL
    assert queue.lost == 0
    assert world.thread.received(m.Unsubscribe) == [m.Unsubscribe(1)]


def test_topic_and_group_are_created_with_their_settings(
    thread: BrokerThread, client: sync.Client
) -> None:
    with client.queue("new", group="g2", max_attempts=5, consumer="me"):
        (consume,) = thread.received(m.Consume)
    assert (consume.group, consume.consumer, consume.settings) == ("g2", "me", {"max_attempts": 5})
    with pytest.raises(ValueError, match="prefetch"):
        client.queue("new", group="g2", prefetch=0)


def test_messages_that_come_later_are_waited_for(world: QueueWorld) -> None:
    with world.queue() as queue:
        work(queue, 10)
        working = in_thread(work, queue, 1)
        world.client.publish("t", b"10")
        assert outcome(working) == [10]


def test_no_more_is_held_than_the_prefetch(world: QueueWorld) -> None:
    with world.queue(prefetch=4) as queue:
        messages = take(queue, 4)
        assert world.thread.call(lambda: world.thread.broker.queues.consumers[0].records) == 0
        for message in messages:
            message.ack()
        assert work(queue, 6) == [4, 5, 6, 7, 8, 9]


def test_batches_and_messages_can_be_mixed(world: QueueWorld) -> None:
    with world.queue() as queue:
        (first,) = take(queue, 1)
        batch = next(queue.batches())
        assert (batch.first_offset, batch.values) == (1, (b"1", b"2"))
        batch.ack(confirm=True)
        first.ack(confirm=True)
        assert work(queue, 2) == [3, 4]
    assert world.said("ack") == [1, 2, 0, 3, 4]


def test_threads_share_the_messages_and_settle_what_others_took(world: QueueWorld) -> None:
    with world.queue(prefetch=3) as queue:
        working = [in_thread(work, queue, 2) for _ in range(4)]
        offsets = [offset for future in working for offset in outcome(future)]
        (message, other) = take(queue, 2)
        outcome(in_thread(message.ack, confirm=True))
        other.ack()
        assert sorted([*offsets, message.offset, other.offset]) == ALL
    assert sorted(world.said("ack")) == ALL


@pytest.mark.parametrize("by_batch", [False, True])
def test_redelivery_is_said_to_have_started_before_it_is_handed_out(
    world: QueueWorld, monkeypatch: pytest.MonkeyPatch, by_batch: bool
) -> None:
    connection = world.client._link.connection
    assert connection is not None
    pushed: list[tuple[object, bytes]] = []
    push = connection.push

    def spy(message: Any, payload: bytes = b"") -> None:
        pushed.append((message, payload))
        push(message, payload)

    monkeypatch.setattr(connection, "push", spy)
    with world.queue() as queue:
        for message in take(queue, 10):
            message.nack(delay=0)
        world.settled(10)
        taken: Any = next(queue.batches()) if by_batch else next(iter(queue))
        assert taken.attempt == 2
        first = (taken._lease.lease_id, 0, len(taken) if by_batch else 1)
        assert (m.Started(1), pack_tokens([first])) in pushed


def redelivered(world: QueueWorld, queue: sync.Queue) -> None:
    for message in take(queue, 10):
        message.nack(delay=0)
    world.settled(10)


def taking(queue: sync.Queue, monkeypatch: pytest.MonkeyPatch) -> Future[list[sync.Message]]:
    """Another thread takes a message; returns when it waits for its turn."""
    waits = threading.Event()
    wait = Beginning.wait

    def spy(self: Beginning, timeout_s: float) -> bool:
        waits.set()
        return wait(self, timeout_s)

    monkeypatch.setattr(Beginning, "wait", spy)
    taken = in_thread(take, queue, 1)
    assert waits.wait(LONG_S)
    return taken


def test_a_thread_that_may_be_killed_by_a_redelivery_begins_alone(
    world: QueueWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beginning, "SURVIVAL_S", LONG_S)
    with world.queue() as queue:
        redelivered(world, queue)
        (first,) = take(queue, 1)
        other = taking(queue, monkeypatch)
        assert not other.done()
        (second,) = take(queue, 1)  # the first one did no harm
        assert (first.offset, second.offset) == (0, 1)
        assert not other.done()
        queue.stop()
        assert outcome(other) == []


def test_a_redelivery_that_was_settled_has_done_no_harm(
    world: QueueWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beginning, "SURVIVAL_S", LONG_S)
    with world.queue() as queue:
        redelivered(world, queue)
        (first,) = take(queue, 1)
        first.ack()
        (second,) = outcome(in_thread(take, queue, 1))
        assert (first.offset, second.offset) == (0, 1)


def test_threads_wait_no_longer_than_a_killer_needs(world: QueueWorld) -> None:
    with world.queue() as queue:
        redelivered(world, queue)
        (first,) = take(queue, 1)
        (second,) = outcome(in_thread(take, queue, 1))
        assert (first.offset, second.offset) == (0, 1)


def test_what_is_handed_out_is_said_to_have_started(world: QueueWorld) -> None:
    with world.queue() as queue:
        (message,) = take(queue, 1)
        world.thread.received(m.Started)
        assert not message.settled


# The end


def test_leaving_gives_back_what_is_not_settled(world: QueueWorld) -> None:
    def run() -> None:
        with world.queue() as queue:
            assert work(queue, 3) == [0, 1, 2]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert world.said("ack") == [0, 1, 2]
    assert sorted(world.said("left")) == ALL[3:]


def test_leaving_waits_for_handlers_in_other_threads(world: QueueWorld) -> None:
    working, gate = threading.Event(), threading.Event()

    def handle(_: sync.Message) -> None:
        working.set()
        assert gate.wait(LONG_S)

    with world.queue() as queue:
        handling = in_thread(work, queue, 1, handle)
        assert working.wait(LONG_S)
        world.client.topics()  # an answer behind all leases: they have arrived
        leaving = in_thread(queue.__exit__, None, None, None)
        world.settled(9)
        assert sorted(world.said("release")) == ALL[1:]
        assert not leaving.done()
        gate.set()
        outcome(leaving)
        assert outcome(handling) == [0]
    assert world.said("ack") == [0]


@pytest.mark.usefixtures("interruptible")
def test_leaving_that_is_interrupted_leaves_no_consumer_behind(world: QueueWorld) -> None:
    queue = world.queue().__enter__()
    world.thread.react(m.Unsubscribe, Reaction.HOLD)

    def is_leaving() -> bool:
        with world.client._shared.lock:
            return bool(world.thread.broker.of(m.Unsubscribe))

    with interrupted_when(is_leaving), pytest.raises(KeyboardInterrupt):
        queue.close()
    world.thread.cut()
    with world.queue() as other:
        world.client.topics()  # an answer behind all that was asked for on this connection
        assert len(world.thread.received(m.Consume)) == 2
        assert work(other, 10) == ALL


def test_queue_is_used_in_its_block_only(world: QueueWorld) -> None:
    queue = world.queue()
    with pytest.raises(tapemq.Closed, match="not open"):
        next(iter(queue))
    with queue:
        (message,) = take(queue, 1)
    with pytest.raises(tapemq.Closed, match="closed"):
        next(iter(queue))
    assert message.lease_lost
    message.ack()
    assert queue.lost == 1


def test_closed_client_ends_its_queues(world: QueueWorld) -> None:
    with world.queue() as queue:
        take(queue, 10)
        waiting = in_thread(next, iter(queue))
        world.client.close()
        with pytest.raises(tapemq.Closed):
            outcome(waiting)


def test_deleted_topic_ends_it(world: QueueWorld) -> None:
    with world.queue() as queue:
        take(queue, 10)
        waiting = in_thread(next, iter(queue))
        world.thread.push(m.Detached(1, 0, 0, wire.UNKNOWN_TOPIC.code, "deleted"))
        with pytest.raises(tapemq.TopicNotFound, match="deleted"):
            outcome(waiting)


# Losing the connection


@pytest.mark.parametrize("kind", [m.Consume, m.Settle, m.Started, m.Credit])
@pytest.mark.parametrize("reaction", [Reaction.CUT, Reaction.LOSE])
def test_cut_at_any_point_loses_nothing(world: QueueWorld, kind: type, reaction: Reaction) -> None:
    world.thread.react(kind, reaction)
    done: set[int] = set()
    with world.queue(prefetch=3) as queue:
        for message in queue:
            with message.process():
                done.add(message.offset)
            if len(done) == 10 and len(set(world.said("ack"))) == 10:
                break
            if len(done) == 10:
                queue._desk.drain()
                if len(set(world.said("ack"))) == 10:
                    break
    world.client.topics()  # it has connected again
    assert done == set(ALL)


def test_messages_of_a_lost_connection_are_lost(world: QueueWorld) -> None:
    with world.queue() as queue:
        one, two = take(queue, 2)
        world.thread.received(m.Started)
        world.thread.cut()
        with pytest.raises(tapemq.Error):
            one.ack(confirm=True)
        again = next(iter(queue))
        assert (two.lease_lost, again.offset, again.deliveries) == (True, 0, 1)
        with pytest.raises(tapemq.LeaseLost):
            two.ack(confirm=True)


# run()


def test_run_handles_so_many_at_a_time_until_it_is_stopped(world: QueueWorld) -> None:
    lock, gate = threading.Lock(), threading.Event()
    at_once, most, done = 0, 0, 0

    def handle(message: sync.Message) -> None:
        nonlocal at_once, most, done
        with lock:
            at_once += 1
            most = max(most, at_once)
            if at_once == 3:
                gate.set()
        assert gate.wait(LONG_S)
        with lock:
            at_once -= 1
            done += 1
            if done == 10:
                queue.stop()

    with world.queue() as queue:
        queue.run(handle, concurrency=3)
        assert (most, done) == (3, 10)
    assert sorted(world.said("ack")) == ALL


def test_stop_lets_handlers_finish_and_gives_the_rest_back(world: QueueWorld) -> None:
    working, gate = threading.Event(), threading.Event()

    def handle(_: sync.Message) -> None:
        working.set()
        assert gate.wait(LONG_S)

    with world.queue() as queue:
        running = in_thread(queue.run, handle, concurrency=1)
        assert working.wait(LONG_S)
        world.client.topics()  # behind all that was leased: what comes after stop() is kept
        queue.stop()
        world.settled(9)
        assert sorted(world.said("release")) == ALL[1:]
        gate.set()
        outcome(running)
    assert world.said("ack") == [0]


def test_failing_handlers_do_not_end_run(world: QueueWorld) -> None:
    def handle(message: sync.Message) -> None:
        if message.attempt == 1 and message.offset in (3, 4, 5):
            raise {3: KeyError, 4: ValueError, 5: OSError}[message.offset]

    with world.queue() as queue:
        running = in_thread(queue.run, handle, concurrency=2, reject_on=ValueError, ignore=OSError)
        world.settled(11)
        queue.stop()
        outcome(running)
    assert (world.said("nack"), world.said("reject")) == ([3], [4])
    assert sorted(world.said("ack")) == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_run_raises_what_iterating_raises(world: QueueWorld) -> None:
    def handle(message: sync.Message) -> None:
        world.thread.push(m.Detached(1, 0, 0, wire.UNKNOWN_TOPIC.code, "deleted"))

    with world.queue() as queue, pytest.raises(tapemq.TopicNotFound, match="deleted"):
        queue.run(handle)


def test_exit_in_a_handler_ends_run_and_gives_its_message_back(world: QueueWorld) -> None:
    def handle(message: sync.Message) -> None:
        raise SystemExit(3)

    with world.queue() as queue, pytest.raises(SystemExit):
        queue.run(handle, concurrency=1)
    assert 0 in world.said("release")
    assert world.said("ack") == []


def test_what_a_handler_has_not_run_is_not_acked(world: QueueWorld) -> None:
    async def coroutine(message: sync.Message) -> None: ...

    with world.queue() as queue:
        with pytest.raises(TypeError, match="nobody awaits it"):
            queue.run(coroutine)
        running = in_thread(queue.run, lambda message: coroutine(message), concurrency=1)
        world.settled(10)
        queue.stop()
        outcome(running)
    assert world.said("ack") == []
    assert set(world.said("nack")) >= {0}


def test_concurrency_is_at_least_one(world: QueueWorld) -> None:
    with world.queue() as queue, pytest.raises(ValueError, match="concurrency"):
        queue.run(print, concurrency=0)


def test_batches_end_when_it_is_stopped(world: QueueWorld) -> None:
    with world.queue() as queue:
        assert len(list(islice(queue.batches(), 2))) == 2
        queue.stop()
        assert list(queue.batches()) == []
        assert list(queue) == []
