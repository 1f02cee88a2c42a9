import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tapemq
import tapemq.sync
from tapemq import sync
from tapemq.wire import messages as m
from tests.support.blocking import BrokerThread, in_thread, outcome
from tests.support.fake_broker import Reaction

_PAIRS = [
    (tapemq.connect, sync.connect),
    (tapemq.Client, sync.Client),
    (tapemq.Producer, sync.Producer),
    (tapemq.Stream, sync.Stream),
]

# So far, queues are read and schedules made with asyncio only.
_ASYNC_ONLY = {"queue", "schedule", "schedules"}
_ASYNC_ONLY_OPTIONS = {"delay", "at", "schedule_key"}
_ASYNC_ONLY_TEXT = re.compile("delay, at: on disk at once.*``schedule_key``[.] ")

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
            if parameter.name not in _ASYNC_ONLY_OPTIONS
        ]
        for name, call in calls(thing)
        if name not in _ASYNC_ONLY
    }


def documents(thing: Any) -> dict[str, str]:
    found = {}
    for name, call in calls(thing):
        text = inspect.getdoc(call) or ""
        for word, other in _WORDS.items():
            text = text.replace(word, other)
        if name not in _ASYNC_ONLY:
            found[name] = _ASYNC_ONLY_TEXT.sub("", " ".join(text.split()))
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


def test_connect_says_who_it_is(thread: BrokerThread) -> None:
    url = thread.broker.url
    with sync.connect(url, name="billing-7", namespace="test") as client:
        assert client.name == "billing-7"
    with sync.connect(url) as client:
        assert client.name == thread.received(m.Hello, 2)[1].client != ""
    hello = thread.received(m.Hello)[0]
    assert (hello.client, hello.namespace, hello.versions) == ("billing-7", "test", [1])


def test_connect_fails_in_time_with_the_reason() -> None:
    with BrokerThread() as thread:
        url = thread.broker.url
    with pytest.raises(tapemq.ConnectionLost, match=r"within 0\.05 s"):
        sync.connect(url, connect_timeout=0.05)


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
    with pytest.raises(tapemq.Closed):
        outcome(publishing)


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


_FORKING = """
import os, sys
import tapemq, tapemq.sync

def refused(call):
    try:
        call()
    except tapemq.Closed as error:
        return "forked" in str(error)

def work(client, producer, stream):
    assert client.publish("t", b"the child's").offset == 1
    assert refused(lambda: producer.send(b"?"))
    assert refused(lambda: producer.send_many([b"?"]))
    assert refused(lambda: next(iter(stream)))
    with client.producer("t") as own:
        own.send(b"the child's, too")

with tapemq.sync.connect(sys.argv[1]) as client:
    client.publish("t", b"before")
    with client.producer("t", linger=1000.0) as producer, client.stream("t", group="g") as stream:
        producer.send(b"the parent's")
        child = os.fork()
        if not child:
            work(client, producer, stream)
            sys.exit(7)  # leaves all the blocks
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
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
