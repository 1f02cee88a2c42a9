"""Against the real broker; what is decided is in tests/client/schedules."""

import sys
import threading
from contextlib import suppress
from typing import Any

import pytest

import tapemq
from tapemq import sync
from tapemq.schedules.slots import IN_FLIGHT
from tapemq.sync.shared import Turn
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import LONG_S, BrokerThread, in_thread, outcome
from tests.support.fake_broker import Reaction
from tests.support.scheduled_broker import ScheduledBroker
from tests.support.scheduled_sync import Call, blocking
from tests.support.sdk import SENT_BY_THEN_S
from tests.support.stuck_disk import StuckDisk


def stick(_: ScheduledBroker, disk: StuckDisk) -> None:
    disk.stuck = True


def release(_: ScheduledBroker, disk: StuckDisk) -> None:
    disk.release()


def arrived(broker: ScheduledBroker, _: StuckDisk) -> int:
    (volume,) = broker.schedules.shelf.volumes.values()
    return volume.book.count


def cut(broker: ScheduledBroker, _: StuckDisk) -> None:
    for connection in list(broker.server._sessions.by_number.values()):
        connection.abort("the network is gone")


def forget_producers(broker: ScheduledBroker, _: StuckDisk) -> None:
    (volume,) = broker.schedules.shelf.volumes.values()
    volume.book.producers._by_id.clear()


def later(client: sync.Client) -> tapemq.ScheduleReceipt:
    return client.publish("t", b"x", delay=60)


async def test_partitions() -> None:
    def work(client: sync.Client, _: Call) -> None:
        client.create_topic("t", 3)
        assert [client.publish("t", b"x", delay=60).partition for _ in range(4)] == [0, 1, 2, 0]
        published = client.publish("t", b"x", key="a")
        assert client.publish("t", b"x", key="a", delay=60).partition == published.partition
        with pytest.raises(tapemq.PartitionNotFound):
            client.publish("t", b"x", partition=3, delay=60)
        wrong: Any = 0.0
        with pytest.raises(TypeError):
            client.publish("t", b"x", partition=wrong, delay=60)

    await blocking(work)


async def test_a_lost_answer_is_asked_for_again() -> None:
    def work(client: sync.Client, call: Call) -> None:
        client.publish("t", b"a", delay=60)
        call(stick)
        scheduling = in_thread(later, client)
        while call(arrived) < 2:
            pass
        call(cut)
        call(release)
        receipt = outcome(scheduling)
        assert (receipt.schedule_id, receipt.duplicate) == (2, True)
        assert client.schedules("t").count() == 2

    await blocking(work)


async def test_without_an_answer_the_outcome_is_unknown() -> None:
    def work(client: sync.Client, call: Call) -> None:
        client.publish("t", b"a", delay=60)
        call(stick)
        with pytest.raises(tapemq.IndeterminateError, match="may be scheduled"):
            client.publish("t", b"b", delay=60, timeout=SENT_BY_THEN_S)
        call(release)
        assert client.publish("t", b"c", delay=60).schedule_id == 3
        with pytest.raises(tapemq.TimeoutError, match="could not be scheduled within 0 s"):
            client.publish("other", b"d", delay=60, timeout=0)

    await blocking(work)


async def test_what_was_sent_before_the_client_was_closed_may_be_scheduled() -> None:
    def work(client: sync.Client, call: Call) -> None:
        client.publish("t", b"a", delay=60)
        call(stick)
        scheduling = in_thread(later, client)
        while call(arrived) < 2:
            pass
        client.close()
        with pytest.raises(tapemq.IndeterminateError, match="may be scheduled"):
            outcome(scheduling)
        call(release)

    await blocking(work)


async def test_what_the_broker_does_not_know_any_more_is_made_anew() -> None:
    def work(client: sync.Client, call: Call) -> None:
        client.publish("t", b"old", delay=60)
        client.delete_topic("t")
        client.create_topic("t")
        assert client.publish("t", b"new", delay=60).schedule_id == 1
        call(forget_producers)
        receipt = client.publish("t", b"b", delay=60)
        assert (receipt.schedule_id, receipt.duplicate) == (2, False)

    await blocking(work)


async def test_any_number_of_threads_schedules() -> None:
    def work(client: sync.Client, _: Call) -> None:
        calls = [in_thread(later, client) for _ in range(IN_FLIGHT + 10)]
        ids = {outcome(call).schedule_id for call in calls}
        assert ids == set(range(1, IN_FLIGHT + 11))

    await blocking(work)


def test_what_an_overloaded_broker_has_refused_is_not_sent_again_when_the_time_is_over(
    thread: BrokerThread, client: sync.Client
) -> None:
    busy = m.Failure(wire.OVERLOADED.code, "busy", retry_after_ms=60_000)
    thread.react(m.Schedule, busy)
    with pytest.raises(tapemq.IndeterminateError):
        client.publish("t", b"x", delay=60, timeout=SENT_BY_THEN_S)
    client.topics()
    assert len(thread.broker.of(m.Schedule)) == 1


def test_who_waits_for_room_in_vain_is_forgotten(thread: BrokerThread, client: sync.Client) -> None:
    thread.call(thread.broker.flow, 0, "the disk is low")
    with pytest.raises(tapemq.TimeoutError, match="disk is low"):
        client.publish("t", b"x", delay=60, timeout=SENT_BY_THEN_S)
    assert client._link.connection is not None
    assert not client._link.connection._wanting_room
    assert not client._link._changes._waiting


def test_what_is_too_large_since_a_restart_is_not_sent_again_and_again() -> None:
    with BrokerThread() as thread, thread.connect() as client:
        broker = thread.broker
        thread.react(m.Schedule, Reaction.IGNORE)
        scheduling = in_thread(client.publish, "t", bytes(600), delay=60, timeout=LONG_S)
        thread.received(m.Schedule)
        broker.welcome = broker.welcome._replace(batch_bytes_max=500, record_bytes_max=500)
        thread.cut()
        with pytest.raises(tapemq.IndeterminateError):
            outcome(scheduling)
        assert len(broker.of(m.Schedule)) == 1


async def test_an_interrupt_holds_up_no_later_call() -> None:
    """As it may come while a lock that is made in Python is taken: it is then never given back."""

    def interrupt(frame: Any, event: str, _: Any) -> Any:
        if event == "return" and frame.f_code is threading.Condition.__enter__.__code__:
            sys.settrace(None)
            raise KeyboardInterrupt
        return interrupt

    def work(client: sync.Client, _: Call) -> None:
        tracing = sys.gettrace()
        sys.settrace(interrupt)
        try:
            with suppress(KeyboardInterrupt):
                later(client)
        finally:
            sys.settrace(tracing)
        assert outcome(in_thread(later, client)).topic == "t"

    await blocking(work)


def test_who_is_interrupted_when_it_has_asked_for_room_is_forgotten(
    thread: BrokerThread, client: sync.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.topics()
    thread.push(m.Flow(0, "the disk is low"))
    connection = client._link.connection
    assert connection is not None
    main, leave = threading.get_ident(), Turn.__exit__

    def interrupted(turn: Turn, *error: Any) -> None:
        leave(turn, *error)
        if connection._wanting_room and threading.get_ident() == main:
            monkeypatch.undo()
            raise KeyboardInterrupt

    monkeypatch.setattr(Turn, "__exit__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.publish("t", b"x", delay=60)
    assert not connection._wanting_room
