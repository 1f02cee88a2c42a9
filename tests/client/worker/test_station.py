import asyncio
import logging
import threading

import pytest

import tapemq
from tapemq.queues.outcome import Reject, Retry
from tapemq.worker.app import App
from tapemq.worker.station import Station


def station_of(app: App, concurrency: int = 1) -> Station:
    return Station(app.handlers[0], concurrency)


class Abort(BaseException):
    """Some libraries end what takes too long with such."""


async def lag(client: tapemq.Client) -> int:
    return (await client.group("t", "g")).lag


async def test_messages_are_acked_when_their_handler_returns(client: tapemq.Client) -> None:
    app, seen = App(), list[bytes | None]()

    @app.handler("t", group="g")
    async def take(message: tapemq.Message) -> None:
        seen.append(message.value)
        if message.value == b"last":
            station.stop()

    station = station_of(app)
    for value in ("a", "b", "last"):
        await client.publish("t", value)
    await station.begin(client)
    assert seen == [b"a", b"b", b"last"]
    assert await lag(client) == 0


async def test_so_many_are_handled_at_a_time(client: tapemq.Client) -> None:
    app, together, at_once, most = App(), asyncio.Event(), 0, 0

    @app.handler("t", group="g", concurrency=2)
    async def take(message: tapemq.Message) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        if at_once == 2:
            together.set()
        await together.wait()
        at_once -= 1
        if message.value == b"last":
            station.stop()

    station = station_of(app)
    for value in ("a", "b", "c", "last"):
        await client.publish("t", value)
    await station.begin(client)
    assert most == 2


async def test_plain_functions_have_as_many_threads(client: tapemq.Client) -> None:
    app, together = App(), threading.Barrier(3)
    loop = asyncio.get_running_loop()

    @app.handler("t", group="g")
    def take(message: tapemq.Message) -> None:
        together.wait()  # none would get past it if there were fewer
        loop.call_soon_threadsafe(station.stop)

    station = station_of(app, concurrency=3)
    for _ in range(3):
        await client.publish("t", "v")
    await station.begin(client)
    assert await lag(client) == 0


async def test_failures_end_as_the_rules_say(
    client: tapemq.Client, caplog: pytest.LogCaptureFixture
) -> None:
    app, attempts = App(), list[tuple[bytes, int]]()
    errors: dict[bytes, BaseException] = {
        b"ignored": KeyError("k"),
        b"rejected": Reject("no use"),
        b"wrong": ValueError("v"),
        b"exits": SystemExit("argv"),
        b"aborts": Abort("timed out"),
        b"later": Retry("busy", delay=0),
    }

    @app.handler("t", group="g", reject_on=ValueError, ignore=KeyError, retry=[0])
    async def take(message: tapemq.Message) -> None:
        assert message.value
        attempts.append((message.value, message.attempt))
        if message.attempt == 1:
            raise errors[message.value]
        if len(attempts) == len(errors) + 3:
            station.stop()

    station = station_of(app)
    for value in errors:
        await client.publish("t", value)
    with caplog.at_level(logging.DEBUG, "tapemq.worker"):
        await station.begin(client)
    assert sorted(value for value, attempt in attempts if attempt == 2) == [
        b"aborts",
        b"exits",
        b"later",
    ]
    said = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    assert "t 0:0 attempt 1: done, ignoring: KeyError: 'k'" in said
    assert "t 0:1 attempt 1: dead: no use" in said
    assert "t 0:4 attempt 1: failed: Abort: timed out" in said
    assert "t 0:5 attempt 1: failed: busy" in said
    assert "t 0:2 attempt 1: dead: ValueError: v" in said
    shown = {record.getMessage()[:5]: record.exc_info for record in caplog.records}
    assert shown["t 0:1"] is None
    assert shown["t 0:2"] is not None
    assert shown["t 0:2"][2] is not None
    assert shown["t 0:2"][2].tb_frame.f_code.co_name == "take"


async def test_it_can_be_stopped_before_it_has_begun(client: tapemq.Client) -> None:
    app = App()
    app.handler("t", group="g")(lambda message: None)
    station = station_of(app)
    task = station.begin(client)
    station.stop()
    await asyncio.wait((task,))
    assert task.cancelled()
