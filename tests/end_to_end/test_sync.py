"""The SDK without asyncio, and a broker in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

import tapemq
from tapemq import sync
from tests.support.blocking import in_thread, outcome
from tests.support.crash.forked_broker import ForkedBroker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ForkedBroker]:
    broker = ForkedBroker(tmp_path / "data")
    broker.start()
    yield broker
    broker.stop()


def test_first_screen(broker: ForkedBroker) -> None:
    with sync.connect(broker.url) as client:
        receipt = client.publish("orders", b"one", key="eu.42", headers={"k": "v"})
        assert (receipt.offset, receipt.durability) == (0, "durable")
        with client.producer("orders") as producer:
            for row in (b"two", b"three"):
                producer.send(row)
        with client.stream("orders", group="analytics", start="earliest") as stream:
            records = list(islice(stream, 3))
        assert [record.value for record in records] == [b"one", b"two", b"three"]
        assert (records[0].key, records[0].headers) == (b"eu.42", {"k": "v"})
        assert client.group("orders", "analytics").lag == 0


def test_threads_go_on_after_a_restart(broker: ForkedBroker) -> None:
    with sync.connect(broker.url) as client:

        def publish(letter: str) -> list[int]:
            return [client.publish("t", f"{letter}{n}", timeout=60).offset for n in range(200)]

        def read() -> list[bytes | None]:
            with client.stream("t", group="g", start="earliest") as stream:
                return [record.value for record in islice(stream, 800)]

        reading = in_thread(read)
        publishing = [in_thread(publish, letter) for letter in "abcd"]
        client.publish("other", b"")
        broker.stop()
        broker.start()
        offsets = [offset for future in publishing for offset in outcome(future)]
        assert sorted(offsets) == list(range(800))
        values = outcome(reading)
        assert len(set(values)) == 800
        for letter in "abcd":
            own = [value for value in values if value is not None and value[:1] == letter.encode()]
            assert own == [f"{letter}{n}".encode() for n in range(200)]
        assert client.group("t", "g").lag == 0


def test_workers_and_restarts_lose_no_message(broker: ForkedBroker) -> None:
    with sync.connect(broker.url) as client:
        with client.producer("jobs") as producer:
            producer.send_many([b"%d" % n for n in range(500)])
        done: list[int] = []
        once = iter((True,))

        def handle(message: sync.Message) -> None:
            if message.offset % 50 == 0 and message.attempt == 1:
                raise tapemq.Retry("once more", delay=0.001)
            done.append(message.offset)
            if len(done) >= 250 and next(once, False):
                broker.stop()
                broker.start()
            if len(set(done)) == 500:
                queue.stop()

        with client.queue("jobs", group="g", prefetch=20) as queue:
            queue.run(handle, concurrency=4)
        assert set(done) == set(range(500))
        info = client.describe_queue("jobs", "g")
        assert (info.ready, info.retrying, info.dead, info.leased) == (0, 0, 0, 0)


_KILLED = """
import os, signal, sys, tapemq.sync
with tapemq.sync.connect(sys.argv[1]) as client, client.queue("jobs", group="g") as queue:
    for message in queue:
        if message.attempt == 3:
            message.ack(confirm=True)
            sys.exit(0)
        with message.process():
            if message.failures:
                os.kill(os.getpid(), signal.SIGKILL)
            raise ValueError
"""


def test_handler_that_kills_its_process_is_counted(broker: ForkedBroker) -> None:
    with sync.connect(broker.url) as client:
        client.publish("jobs", b"x")
        with client.queue("jobs", group="g", retry=[0.001]):
            pass
        script = [sys.executable, "-c", _KILLED, broker.url]
        statuses = [subprocess.run(script, timeout=60, check=False).returncode for _ in range(2)]
        assert statuses == [-9, 0]
        info = client.describe_queue("jobs", "g")
        assert (info.ready, info.retrying, info.dead) == (0, 0, 0)


_FORKED = """
import os, sys, threading, tapemq, tapemq.sync
from itertools import islice

def is_the_parents(message):
    message.ack()
    try:
        message.ack(confirm=True)
    except tapemq.LeaseLost:
        return message.lease_lost

def work(client, message):
    assert is_the_parents(message)
    client.publish("more", b"the child's")
    with client.queue("more", group="g") as own:
        (theirs,) = islice(own, 1)
        assert theirs.value == b"the child's"
        theirs.ack(confirm=True)

with tapemq.sync.connect(sys.argv[1]) as client:
    with client.queue("jobs", group="g", prefetch=10) as queue:
        held, other = islice(queue, 2)
        done, some = [], threading.Event()

        def handle(message):
            done.append(message.offset)
            if len(done) == 50:
                some.set()
            if len(done) == 498:
                queue.stop()

        working = threading.Thread(target=queue.run, args=(handle,), kwargs={"concurrency": 3})
        working.start()
        some.wait()
        child = os.fork()
        if not child:
            work(client, held)
            sys.exit(7)  # leaves all the blocks
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
        working.join()
        assert sorted(done) == list(range(2, 500))
        other.ack(confirm=True)
        assert client.describe_queue("jobs", "g").leased == 1  # the child did not settle it
        held.ack(confirm=True)
        assert queue.lost == 0
"""


def test_forked_child_works_beside_its_parents_threads(broker: ForkedBroker) -> None:
    with sync.connect(broker.url) as client:
        with client.producer("jobs") as producer:
            producer.send_many([b"%d" % n for n in range(500)])
        script = [sys.executable, "-W", "ignore", "-c", _FORKED, broker.url]
        done = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "Error" in done.stderr) == (0, False), done.stderr
        for topic in ("jobs", "more"):
            info = client.describe_queue(topic, "g")
            assert (info.ready, info.retrying, info.dead, info.leased) == (0, 0, 0, 0)


def test_delayed_records_come(broker: ForkedBroker) -> None:
    with sync.connect(broker.url) as client:
        receipt = client.publish("t", b"later", delay=0.05)
        assert receipt.schedule_id == 1
        client.schedule("t", b"tick", every=3600, schedule_key="tick")
        with client.queue("t", group="g") as queue:
            message = next(iter(queue))
            message.ack(confirm=True)
            assert message.value == b"later"
        assert [one.schedule_key for one in client.schedules("t").list()] == [b"tick"]
