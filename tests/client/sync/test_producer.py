import logging
import threading
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

import tapemq
from tapemq import sync
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import LONG_S, BrokerThread, in_thread, outcome
from tests.support.fake_broker import Reaction
from tests.support.sdk import SENT_BY_THEN_S

STORAGE_FAILED = m.Failure(wire.STORAGE_FAILED.code, "damaged")


def test_leaving_the_block_confirms_everything(thread: BrokerThread, client: sync.Client) -> None:
    with client.producer("t") as producer:
        for number in range(1000):
            producer.send(b"%d" % number)
    assert thread.stored() == [b"%d" % number for number in range(1000)]


def test_many_are_handed_over_at_once(thread: BrokerThread, client: sync.Client) -> None:
    values: list[Any] = [b"%d" % number for number in range(500)] + [None, "text"]
    with client.producer("t", batch_bytes=1024) as producer:
        producer.send_many(values)
    assert thread.stored() == [*values[:500], None, b"text"]


def test_all_kinds_of_records_keep_their_order(thread: BrokerThread, client: sync.Client) -> None:
    with client.producer("t") as producer:
        producer.send(b"0")
        producer.send("1", key="k")
        producer.send(b"2")
        producer.send(None, headers={"h": 3})
        producer.send(bytearray(b"4"), partition=0)
        producer.send(b"5")
    assert thread.stored() == [b"0", b"1", b"2", None, b"4", b"5"]


def test_threads_send_at_the_same_time(thread: BrokerThread, client: sync.Client) -> None:
    with client.producer("t", batch_bytes=4096) as producer:

        def send(letter: bytes) -> None:
            for number in range(500):
                producer.send(b"%s%d" % (letter, number))

        for sending in [in_thread(send, letter) for letter in (b"a", b"b", b"c", b"d")]:
            outcome(sending)
    stored = thread.stored()
    for letter in (b"a", b"b", b"c", b"d"):
        own = [value for value in stored if value is not None and value.startswith(letter)]
        assert own == [b"%s%d" % (letter, number) for number in range(500)]
    assert len(stored) == 2000


def test_lost_answers_do_not_duplicate(thread: BrokerThread, client: sync.Client) -> None:
    thread.react(m.Publish, Reaction.HANDLE, Reaction.LOSE, Reaction.CUT, Reaction.LOSE)
    with client.producer("t", batch_bytes=1024) as producer:
        for number in range(100):
            producer.send(b"%084d" % number)
    assert thread.stored() == [b"%084d" % number for number in range(100)]


def test_send_waits_while_enough_is_in_flight(thread: BrokerThread, client: sync.Client) -> None:
    thread.react(m.Publish, *[Reaction.HOLD] * 100)
    taken = 0
    with client.producer("t", batch_bytes=1024, max_in_flight=2) as producer:

        def send() -> None:
            nonlocal taken
            for number in range(100):
                producer.send(b"%084d" % number)
                taken += 1

        sending = in_thread(send)
        thread.received(m.Publish, 2)
        client.topic("t")
        assert taken < 50
        thread.release()
        outcome(sending)
    assert thread.stored() == [b"%084d" % number for number in range(100)]


def test_flush_waits_for_the_receipts(thread: BrokerThread, client: sync.Client) -> None:
    with client.producer("t", linger=1000.0) as producer:
        producer.send(b"0")
        producer.flush()
        assert thread.stored() == [b"0"]


def test_flush_does_not_wait_for_what_is_sent_meanwhile(
    thread: BrokerThread, client: sync.Client
) -> None:
    def release_the_first() -> None:
        thread.broker.release()
        thread.broker.react(m.Publish, Reaction.HOLD)

    thread.react(m.Publish, Reaction.HOLD)
    with client.producer("t") as producer:
        producer.send(b"0")
        flushing = in_thread(producer.flush)
        thread.received(m.Publish)
        producer.send(b"1")
        thread.call(release_the_first)
        outcome(flushing)
        thread.received(m.Publish, 2)
        thread.release()


def test_records_linger(thread: BrokerThread, client: sync.Client) -> None:
    with client.producer("t", linger=0.02) as producer:
        producer.send(b"0")
        thread.received(m.Publish)


def test_failure_is_raised_at_the_next_call(thread: BrokerThread, client: sync.Client) -> None:
    thread.react(m.Publish, STORAGE_FAILED)
    with client.producer("t") as producer:
        producer.send(b"0")
        with pytest.raises(tapemq.StorageFailed):
            producer.flush()
        with pytest.raises(tapemq.StorageFailed):
            producer.send(b"1")


def test_failure_is_raised_at_the_exit_if_nobody_was_told(
    thread: BrokerThread, client: sync.Client
) -> None:
    def work() -> None:
        with client.producer("t") as producer:
            producer.send(b"0")

    thread.react(m.Publish, STORAGE_FAILED)
    with pytest.raises(tapemq.StorageFailed):
        work()


def test_partition_that_is_no_integer_is_refused_and_the_rest_goes_on(
    thread: BrokerThread, client: sync.Client
) -> None:
    wrong: Any = 0.0
    with client.producer("t") as producer:
        with pytest.raises(TypeError):
            producer.send(b"?", partition=wrong)
        producer.send(b"0", partition=False)
    assert thread.stored() == [b"0"]


def test_record_that_waits_too_long_fails_the_producer(
    thread: BrokerThread, client: sync.Client
) -> None:
    thread.react(m.Publish, Reaction.IGNORE)
    with client.producer("t", timeout=SENT_BY_THEN_S) as producer:
        producer.send(b"0")
        with pytest.raises(tapemq.IndeterminateError, match=r"not confirmed within 0\.5 s"):
            producer.flush()


def test_exception_of_the_block_is_the_one_that_is_raised(
    thread: BrokerThread, client: sync.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)

    def work() -> None:
        with client.producer("t") as producer:
            producer.send(b"0")
            raise ZeroDivisionError

    thread.react(m.Publish, STORAGE_FAILED)
    with pytest.raises(ZeroDivisionError):
        work()
    assert "records were lost" in caplog.text


def test_interrupt_gives_the_records_up(thread: BrokerThread, client: sync.Client) -> None:
    def work() -> None:
        with client.producer("t", linger=1000.0) as producer:
            producer.send(b"0")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    client.publish("t", b"1")
    assert thread.stored() == [b"1"]


def test_producer_is_used_in_its_block(client: sync.Client) -> None:
    producer = client.producer("t")
    with pytest.raises(tapemq.Closed, match="`with`"):
        producer.send(b"0")
    with producer:
        producer.send(b"0")
    with pytest.raises(tapemq.Closed, match="closed"):
        producer.send(b"1")


def test_opening_fails_in_time_with_the_reason(thread: BrokerThread) -> None:
    with thread.connect(timeout=0.05) as client:
        thread.react(m.OpenProducer, Reaction.IGNORE)
        with pytest.raises(tapemq.TimeoutError, match="no answer within"):
            client.producer("t").__enter__()
    thread.call(lambda: setattr(thread.broker, "may_create", False))
    with thread.connect() as client, pytest.raises(tapemq.TopicNotFound):
        client.producer("unknown").__enter__()


def test_closing_the_client_ends_a_send_that_waits(thread: BrokerThread) -> None:
    client = thread.connect()
    thread.react(m.Publish, *[Reaction.IGNORE] * 100)
    started = threading.Event()

    def send() -> None:
        with client.producer("t", batch_bytes=1024, max_in_flight=1) as producer:
            started.set()
            for _ in range(100):
                producer.send(b"x" * 84)

    sending = in_thread(send)
    assert started.wait(LONG_S)
    thread.received(m.Publish)
    client.close(timeout=0.05)
    with pytest.raises(tapemq.Closed):
        outcome(sending)


def test_closing_the_client_waits_for_what_a_producer_was_handed(thread: BrokerThread) -> None:
    client = thread.connect()
    thread.react(m.Publish, Reaction.HOLD)
    producer = client.producer("t", linger=100.0).__enter__()
    producer.send(b"0")
    closing = in_thread(client.close)
    thread.received(m.Publish)
    thread.release()
    outcome(closing)
    assert producer._publisher.idle


def test_closing_the_client_does_not_wait_for_ever_for_a_producer(
    thread: BrokerThread, caplog: pytest.LogCaptureFixture
) -> None:
    client = thread.connect()
    thread.react(m.Publish, Reaction.IGNORE)
    producer = client.producer("t").__enter__()
    producer.send(b"0")
    client.close(timeout=0.05)
    assert "closing with unconfirmed publishes" in caplog.text


def test_leaving_a_producer_of_a_closed_client_is_no_failure_if_all_is_confirmed(
    thread: BrokerThread,
) -> None:
    client = thread.connect()
    with client.producer("t") as producer:
        producer.send(b"0")
        client.close()
    assert thread.stored() == [b"0"]


def test_closing_the_client_lets_the_records_of_all_producers_leave_at_once(
    thread: BrokerThread,
) -> None:
    client = thread.connect()
    stuck = client.producer("t").__enter__()
    thread.react(m.Publish, Reaction.IGNORE)
    stuck.send(b"0")
    thread.received(m.Publish)
    lingering = [client.producer(topic, linger=100.0).__enter__() for topic in "uvw"]
    for producer in lingering:
        producer.send(b"1")
    closing = in_thread(client.close, timeout=LONG_S)
    thread.received(m.Publish, 4)
    stuck.close(tapemq.Closed("as the test wants it"))
    outcome(closing)


def test_records_have_a_time_to_live(client: sync.Client) -> None:
    with client.producer("t") as producer:
        producer.send(b"0", ttl=1.5)
        producer.send(b"1")
    client.publish("t", b"2", ttl=timedelta(hours=1))
    with client.stream("t", start="earliest") as stream:
        records = list(islice(stream, 3))
    lifetimes = [record.expires_at and record.expires_at - record.timestamp for record in records]
    assert lifetimes == [timedelta(seconds=1.5), None, timedelta(hours=1)]


def test_priority_decides_the_partition(thread: BrokerThread, client: sync.Client) -> None:
    client.create_topic("t", 3, priorities=3)
    with client.producer("t", linger=100.0) as producer:
        producer.send(b"0")
        producer.send(b"2", priority=9)
        producer.send(b"0 again")
        producer.send(b"1", priority=1)
        producer.send_many([b"0 once more"])
    assert client.publish("t", b"2 again", priority=5).partition == 2
    assert thread.stored() == [b"0", b"0 again", b"0 once more"]
    assert [thread.stored(1), thread.stored(2)] == [[b"1"], [b"2", b"2 again"]]
