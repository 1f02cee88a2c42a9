import gc
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tapemq
import tapemq.sync
from tapemq import sync
from tapemq.wire import messages as m
from tests.support.blocking import LONG_S, BrokerThread, in_thread, outcome
from tests.support.fake_broker import Reaction

_PAIRS = [
    (tapemq.connect, sync.connect),
    (tapemq.Client, sync.Client),
    (tapemq.Producer, sync.Producer),
    (tapemq.Stream, sync.Stream),
    (tapemq.Queue, sync.Queue),
    (tapemq.Message, sync.Message),
    (tapemq.MessageBatch, sync.MessageBatch),
    (tapemq.Schedules, sync.Schedules),
]

_WORDS = {
    "async with await ": "with ",
    "async with": "with",
    "async for": "for",
    "await ": "",
    "tapemq.sync.": "tapemq.",
}


def calls(thing: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public methods of a class, or the function itself."""
    if not inspect.isclass(thing):
        yield thing.__name__, thing
        return
    for name, member in inspect.getmembers(thing):
        function = member.fget if isinstance(member, property) else member
        is_inner = name in ("fail", "after_fork") or (
            name == "close" and thing.__name__ != "Client"
        )
        if not name.startswith("_") and not is_inner and inspect.isfunction(function):
            yield name, function


def surface(thing: Any) -> dict[str, list[tuple[str, Any, Any]]]:
    """Names of the calls, with names, kinds and defaults of their parameters."""
    return {
        name: [
            (parameter.name, parameter.kind, parameter.default)
            for parameter in inspect.signature(call).parameters.values()
        ]
        for name, call in calls(thing)
    }


def documents(thing: Any) -> dict[str, str]:
    found = {}
    for name, call in calls(thing):
        text = inspect.getdoc(call) or ""
        for word, other in _WORDS.items():
            text = text.replace(word, other)
        found[name] = " ".join(text.split())
    return found


@pytest.mark.parametrize(("async_one", "sync_one"), _PAIRS, ids=lambda one: one.__name__)
def test_surface_is_that_of_the_async_client(async_one: Any, sync_one: Any) -> None:
    assert surface(sync_one) == surface(async_one)
    assert documents(sync_one) == documents(async_one)
    assert all(documents(sync_one).values())


def test_nothing_of_it_is_a_coroutine() -> None:
    for _, sync_one in _PAIRS:
        for name, call in calls(sync_one):
            assert not inspect.iscoroutinefunction(call), name
            assert not inspect.isasyncgenfunction(call), name


def test_leaving_the_block_disconnects(thread: BrokerThread) -> None:
    with thread.connect() as client:
        client.topics()
    thread.received(m.Bye)
    with pytest.raises(tapemq.Closed):
        client.topics()
    with pytest.raises(tapemq.Closed):
        client.publish("t", b"0")
    client.close()


def test_close_waits_for_receipts(thread: BrokerThread, client: sync.Client) -> None:
    thread.react(m.Publish, Reaction.HOLD)
    publishing = in_thread(client.publish, "t", b"0")
    thread.received(m.Publish)
    closing = in_thread(client.close)
    thread.release()
    assert outcome(publishing).offset == 0
    outcome(closing)


def test_close_does_not_wait_for_ever(thread: BrokerThread, client: sync.Client) -> None:
    thread.react(m.Publish, Reaction.IGNORE)
    publishing = in_thread(client.publish, "t", b"0")
    thread.received(m.Publish)
    client.close(timeout=0.05)
    with pytest.raises(tapemq.IndeterminateError):
        outcome(publishing)


def test_errors_of_what_is_closed_do_not_grow(client: sync.Client) -> None:
    """Each frame that they kept would keep a record."""
    with (
        client.producer("t") as producer,
        client.stream("t") as stream,
        client.queue("t", group="q") as queue,
    ):
        client.close()
        for call in (
            lambda: client.publish("t", b"0"),
            lambda: producer.send(b"0"),
            lambda: next(iter(stream)),
            lambda: next(iter(queue)),
            lambda: stream.seek(0),
        ):
            for _ in range(20):
                with pytest.raises(tapemq.Closed) as caught:
                    call()
            assert len(caught.traceback) < 10


def test_interrupt_in_the_middle_of_a_call_closes_the_client(
    thread: BrokerThread, client: sync.Client
) -> None:
    def work() -> None:
        with client._shared.lock, client._shared.turn:
            raise KeyboardInterrupt

    with client.producer("t") as producer, client.stream("t") as stream:
        with pytest.raises(KeyboardInterrupt):
            work()
        for call in (client.topics, lambda: producer.send(b"0"), lambda: next(iter(stream))):
            with pytest.raises(tapemq.Closed, match="interrupted in the middle"):
                call()
        with pytest.raises(tapemq.Closed, match="interrupted in the middle"):
            client.publish("t", b"0")
    thread.received(m.Bye)


_FORKING = r"""
import os, sys
import tapemq, tapemq.sync

def refused(call):
    try:
        call()
    except tapemq.Closed as error:
        return "forked" in str(error)

def work(client, producer, stream, queue, message):
    assert client.publish("t", b"the child's").offset == 1
    assert refused(lambda: producer.send(b"?"))
    assert refused(lambda: producer.send_many([b"?"]))
    assert refused(lambda: next(iter(stream)))
    assert refused(lambda: next(iter(queue)))
    assert message.lease_lost
    with message.process():
        pass
    try:
        message.ack(confirm=True)
        assert False, "the parent's message was settled"
    except tapemq.LeaseLost:
        assert queue.lost == 1
    with client.queue("t", group="q") as own:
        theirs = next(iter(own))
        assert theirs.offset == 1 and theirs.value == b"the child's", theirs
        theirs.ack(confirm=True)
    with client.producer("t") as own:
        own.send(b"the child's, too")

with tapemq.sync.connect(sys.argv[1]) as client:
    client.publish("t", b"before")
    with client.producer("t", linger=1000.0) as producer, client.stream("t", group="g") as stream, \
            client.queue("t", group="q", prefetch=1) as queue:
        message = next(iter(queue))
        producer.send(b"the parent's")
        child = os.fork()
        if not child:
            work(client, producer, stream, queue, message)
            sys.exit(7)  # leaves all the blocks
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
        message.ack(confirm=True)
        assert (message.value, queue.lost) == (b"before", 0)
    client.publish("t", b"after")
"""


def test_forked_child_has_a_connection_of_its_own(thread: BrokerThread) -> None:
    script = [sys.executable, "-W", "ignore", "-c", _FORKING, thread.broker.url]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert thread.stored() == [
        b"before", b"the child's", b"the child's, too", b"the parent's", b"after",
    ]  # fmt: skip
    parent, child = thread.received(m.Hello)
    assert parent.client != child.client
    assert len(thread.received(m.Bye)) == 2
    assert len(thread.received(m.OpenProducer)) == 4


def test_import_of_the_sdk_does_not_load_it() -> None:
    script = "import sys, tapemq; print('tapemq.sync' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_client_that_is_dropped_warns_and_ends_its_thread(thread: BrokerThread) -> None:
    client = thread.connect(name="forgotten")
    client.publish("t", b"0")
    link, shared = client._link, client._shared
    with pytest.warns(ResourceWarning, match="'forgotten' was not closed"):
        del client
    with shared.lock:
        shared.wake()  # else it looks with its next heartbeat
    assert link._ended.wait(LONG_S)
    assert link.closed


@pytest.mark.parametrize("reads", [False, True])
def test_client_is_not_dropped_before_what_was_opened_from_it(
    thread: BrokerThread, reads: bool
) -> None:
    thread.call(thread.broker.create, "t")
    if reads:
        opened: Any = thread.connect().queue("t", group="g"), thread.connect().stream("t")
    else:
        opened = (thread.connect().producer("t"),)
    gc.collect()
    for one in opened:
        with one.owner, one:
            assert not one.owner._link.closed


def test_interrupt_in_a_client_that_is_dropped_is_nothing(thread: BrokerThread) -> None:
    client = thread.connect()
    link, shared = client._link, client._shared
    with pytest.warns(ResourceWarning):
        del client
    with shared.lock:
        shared.interrupt()
        shared.wake()
    assert link._ended.wait(LONG_S)
