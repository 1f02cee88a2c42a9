import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import tapemq
from tapemq.worker.app import App
from tapemq.worker.runner import Runner
from tests.support.blocking import LONG_S


def runner_of(app: App, url: str, **options: Any) -> Runner:
    return Runner(app, url, **{"concurrency": 2, "grace_s": 60.0, **options})


async def test_all_handlers_work_until_it_is_stopped(url: str, client: tapemq.Client) -> None:
    app, stop, seen = App(), asyncio.Event(), list[tuple[str, bytes | None]]()

    def note(name: str, message: tapemq.Message) -> None:
        seen.append((name, message.value))
        if len(seen) == 3:
            stop.set()

    @app.handler("a", group="g")
    async def first(message: tapemq.Message) -> None:
        note("first", message)
        await app.client.publish("b", b"from a")

    @app.handler("b", group="g")
    async def second(message: tapemq.Message) -> None:
        note("second", message)

    await client.publish("a", b"1")
    await client.publish("b", b"2")
    runner = runner_of(app, url)
    await runner.run(stop)
    assert sorted(seen) == [("first", b"1"), ("second", b"2"), ("second", b"from a")]
    assert (runner.begun, runner.cut_off) == (True, False)
    assert [(await client.group(topic, "g")).lag for topic in "ab"] == [0, 0]


async def test_what_is_in_hand_is_finished(url: str, client: tapemq.Client) -> None:
    app, stop, begun, end = App(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    @app.handler("t", group="g", concurrency=1)
    async def take(message: tapemq.Message) -> None:
        begun.set()
        await end.wait()

    for _ in range(3):
        await client.publish("t", "v")
    running = asyncio.create_task(runner_of(app, url).run(stop))
    await begun.wait()
    stop.set()
    for _ in range(10):
        await asyncio.sleep(0)  # it is told in a turn of the event loop
    assert not running.done()
    end.set()
    await running
    assert (await client.group("t", "g")).lag == 2


async def test_what_takes_too_long_is_given_back(
    url: str, client: tapemq.Client, caplog: pytest.LogCaptureFixture
) -> None:
    app, stop, begun = App(), asyncio.Event(), asyncio.Event()

    @app.handler("t", group="g")
    async def take(message: tapemq.Message) -> None:
        begun.set()
        await asyncio.Event().wait()

    await client.publish("t", "v")
    runner = runner_of(app, url, grace_s=0)
    running = asyncio.create_task(runner.run(stop))
    await begun.wait()
    stop.set()
    await running
    assert runner.cut_off
    assert "1 messages are still in hand after 0 s: they are given back" in caplog.messages
    async with client.queue("t", group="g") as queue:
        async for message in queue:
            assert message.attempt == 1  # and so it comes again, uncounted
            assert message.deliveries
            await message.ack()
            break


async def test_a_queue_that_ends_stops_the_others(url: str, client: tapemq.Client) -> None:
    app, begun, end = App(), asyncio.Event(), asyncio.Event()
    done = []

    @app.handler("kept", group="g")
    async def take(message: tapemq.Message) -> None:
        begun.set()
        await end.wait()
        done.append(message.value)

    @app.handler("gone", group="g")
    async def other(message: tapemq.Message) -> None: ...

    await client.publish("kept", "v")
    await client.create_topic("gone")
    running = asyncio.create_task(runner_of(app, url).run(asyncio.Event()))
    await begun.wait()
    await client.delete_topic("gone")
    end.set()
    with pytest.raises(tapemq.TopicNotFound):
        await running
    assert done == [b"v"]


@pytest.mark.parametrize("grace_s", [0.0, LONG_S])
async def test_threads_of_a_queue_that_has_ended_are_waited_for_and_not_for_ever(
    url: str, client: tapemq.Client, grace_s: float
) -> None:
    app, loop, begun, end = App(), asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    done = []

    @app.handler("gone", group="g", concurrency=2)
    def take(message: tapemq.Message) -> None:
        loop.call_soon_threadsafe(begun.set)
        assert end.wait(LONG_S)
        done.append(message.value)

    await client.publish("gone", "v")
    runner = runner_of(app, url, grace_s=grace_s)
    running = asyncio.create_task(runner.run(asyncio.Event()))
    await begun.wait()
    await client.delete_topic("gone")
    if grace_s:
        end.set()
    with pytest.raises(tapemq.TopicNotFound):
        await running
    assert runner.cut_off == (not grace_s)
    assert len(done) == (1 if grace_s else 0)
    end.set()


async def test_the_lifespan_is_around_the_work(url: str) -> None:
    stop, events = asyncio.Event(), list[str]()

    @asynccontextmanager
    async def lifespan(client: tapemq.Client) -> AsyncIterator[None]:
        assert await client.topics() == []
        stop.set()
        yield
        events.append("left")

    app = App(lifespan=lifespan)
    app.handler("t", group="g")(print)
    await runner_of(app, url).run(stop)
    assert events in ([], ["left"])


async def test_it_can_be_stopped_while_there_is_no_broker() -> None:
    app, stop = App(), asyncio.Event()
    app.handler("t", group="g")(print)
    stop.set()
    runner = runner_of(app, "tapemq://127.0.0.1:1")
    await runner.run(stop)
    assert not runner.begun
