import threading

import pytest

import tapemq
from tapemq.wire import messages as m
from tests.support.broker_thread import BrokerThread
from tests.support.reading import fill

pytestmark = pytest.mark.both_loops


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "tapemq-leases"]


async def test_leases_are_kept_while_a_handler_blocks_the_event_loop() -> None:
    with BrokerThread() as thread:
        broker = thread.broker
        broker.queues.lease_ms = 60
        fill(broker.create("t"), 3)
        async with await tapemq.connect(broker.url) as client:
            async with client.queue("t", group="g") as queue:
                async for message in queue:
                    async with message.process():
                        for _ in range(3):  # no await: nothing else runs in this loop
                            assert broker.side_pings.acquire(timeout=30)
                    if message.offset == 2:
                        break
            group = broker.queues.groups[1, "g"]
            assert group.offsets("ack") == [0, 1, 2]
            (watcher,) = watchers()
        watcher.join(30)
        assert not watcher.is_alive()


async def test_after_a_reconnect_the_new_session_is_kept() -> None:
    with BrokerThread() as thread:
        broker = thread.broker
        broker.queues.lease_ms = 60
        fill(broker.create("t"), 3)
        async with (
            await tapemq.connect(broker.url) as client,
            client.queue("t", group="g", prefetch=1) as queue,
        ):
            async for message in queue:
                if message.offset == 0 and message.attempt == 1:

                    async def cut() -> None:
                        broker.welcome = broker.welcome._replace(session=b"newer")
                        await broker.cut()

                    thread.call(cut())
                    continue
                assert broker.side_pings.acquire(timeout=30)
                tokens = {hello.resume for hello in broker.of(m.Hello)}
                assert b"newer" in tokens
                break


async def test_without_leases_there_is_no_thread() -> None:
    with BrokerThread() as thread:
        thread.broker.create("t")
        async with (
            await tapemq.connect(thread.broker.url) as client,
            client.queue("t", group="g"),
        ):
            assert not watchers()


async def test_a_short_heartbeat_counts_as_a_lease_does() -> None:
    with BrokerThread() as thread:
        broker = thread.broker
        broker.welcome = broker.welcome._replace(heartbeat_ms=60)
        fill(broker.create("t"), 1)
        async with (
            await tapemq.connect(broker.url) as client,
            client.queue("t", group="g") as queue,
        ):
            async for _ in queue:
                assert broker.side_pings.acquire(timeout=30)
                break
