import asyncio
import threading
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tapemq.batch import BodyPrefix, Columns, checksum, decode_columns, encode_body
from tapemq.wire import messages as m
from tapemq_broker.core.inspection import inspect
from tapemq_broker.server import engine
from tapemq_broker.server.handlers import lookups, schedules
from tapemq_broker.server.schedules import commands
from tapemq_broker.server.unanswered import LARGE, Unanswered
from tapemq_broker.storage.schedules.index import Row
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import running_server
from tests.support.scheduled_broker import START, TOPIC, scheduled_broker
from tests.support.stuck_disk import StuckDisk


async def test_a_schedule_is_told_as_it_was_made() -> None:
    async with scheduled_broker() as broker:
        first = START + timedelta(minutes=5)
        receipt = await broker.client.schedule(
            TOPIC,
            b"value",
            every=90,
            catch_up="all",
            start=first,
            key="a",
            headers={"h": 1},
            schedule_key="k",
        )
        found = await broker.client.schedules(TOPIC).get(receipt.schedule_id)
        assert found.due == receipt.due == first
        assert found.every == timedelta(seconds=90)
        assert (found.schedule_key, found.catch_up, found.cron) == (b"k", "all", None)
        assert (found.created, found.fired, found.partition) == (START, 0, 0)
        record = await broker.client.schedules(TOPIC).record(key="k")
        assert record == (b"value", b"a", {"h": 1})


async def test_the_payload_of_the_answer_is_a_body() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"value", 60)
        reply = await broker.client._link.call(m.GetSchedule(await topic_id(broker), 1), 5)
        assert decode_columns(reply.payload).values == [b"value"]


async def topic_id(broker: object) -> int:
    client = broker.client  # type: ignore[attr-defined]
    return int((await client.topic(TOPIC)).topic_id)


async def test_lists_come_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "_PAGE_ROWS", 3)
    async with scheduled_broker() as broker:
        for number in range(8):
            await broker.later(b"x", 100 - number // 2)
        found = [schedule async for schedule in broker.client.schedules(TOPIC).list()]
        assert [one.schedule_id for one in found] == [7, 8, 5, 6, 3, 4, 1, 2]
        assert await broker.pending() == 8


async def test_pages_of_large_records_are_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of 65 records of 1 MiB took that memory, and a quarter of a second of the index."""
    monkeypatch.setattr(commands, "_PAGE_BYTES", 250_000)
    async with scheduled_broker() as broker:
        for number in range(8):
            await broker.later(bytes(100_000), 100 + number)
        await broker.pending()
        page, read = broker.index.page, []

        def noted(*args: int) -> list[Row]:
            read.append(page(*args))
            return read[-1]

        monkeypatch.setattr(broker.index, "page", noted)
        found = [schedule async for schedule in broker.client.schedules(TOPIC).list()]
        assert [one.schedule_id for one in found] == list(range(1, 9))
        assert [len(rows) for rows in read] == [2, 1, 2, 1, 2, 1, 2, 0]


async def test_a_connection_may_look_for_so_many_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedules, "LOOKUPS_MAX", 2)
    assert lookups.LOOKUPS_MAX > 2
    async with scheduled_broker() as broker:
        await broker.later(b"x", 60)
        client = await RawClient.connect(broker.server.port)
        ask = m.GetSchedule(await topic_id(broker), 1)
        sent = [client.send(ask) for _ in range(3)]
        for correlation in sent[:2]:
            await client.answer(correlation, m.ScheduleInfo)
        with pytest.raises(Refused) as refused:
            await client.answer(sent[2], m.ScheduleInfo)
        assert refused.value.name == "overloaded"
        await client.ask(ask, m.ScheduleInfo)
        RawClient.close_all()


async def test_while_publishing_is_blocked_nothing_is_scheduled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"x", 60)
        monkeypatch.setattr(broker.disk, "free_bytes", lambda: 0)
        broker.server._flow.check_disk()
        client = await RawClient.connect(broker.server.port)
        body = encode_body(Columns([b"x"]))
        with pytest.raises(Refused) as refused:
            await client.ask(m.Schedule(await topic_id(broker), 0, 0), m.Scheduled, body)
        assert refused.value.name == "disk_full"
        RawClient.close_all()


async def test_who_schedules_on_behind_what_is_looked_up_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Keys and texts of 16 KiB each were counted by nobody, and a line of them had no end."""
    gate = threading.Event()

    def inspect_later(*args: Any) -> BodyPrefix:
        gate.wait()
        return inspect(*args)

    monkeypatch.setattr(commands, "inspect", inspect_later)
    monkeypatch.setattr(engine, "Unanswered", partial(Unanswered, most=10 * LARGE))
    async with running_server() as server:
        client, other = [await RawClient.connect(server.port) for _ in range(2)]
        topic = await client.topic("t")
        wish = m.Schedule(topic.topic_id, 0, 0, delay_ms=60_000, key=b"k")
        sent, seen = [client.send(wish, bytes(1000)) for _ in range(2000)], -1
        while seen != (seen := server.status().publishing_bytes // 1000):
            for _ in range(50):
                await other.ask(m.Ping(), m.Pong)
        gate.set()
        for correlation in sent:
            with pytest.raises(Refused):
                await client.answer(correlation, m.Scheduled)
    assert 10 <= seen < 1000  # so many come with what has been read by then


async def test_who_schedules_the_same_again_and_again_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each retry of what is not on disk yet is a task that waits for it."""
    monkeypatch.setattr(engine, "Unanswered", partial(Unanswered, most=10 * LARGE))
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client, other = [await RawClient.connect(server.port) for _ in range(2)]
        topic, producer_id = await client.topic("t"), await client.open_producer()
        bodies = [
            encode_body(Columns([bytes(1000)]), producer_id=producer_id, first_sequence=number)
            for number in range(2)
        ]
        wishes = [m.Schedule(topic.topic_id, 0, checksum(body), 1 << 52) for body in bodies]
        await client.ask(wishes[0], m.Scheduled, bodies[0])  # the log is made
        disk.stuck = True
        sent, seen = [client.send(wishes[1], bodies[1]) for _ in range(1000)], -1
        while seen != (seen := server.status().publishing_bytes // len(bodies[1])):
            for _ in range(50):
                await other.ask(m.Ping(), m.Pong)
        disk.release()
        answers = [await client.answer(correlation, m.Scheduled) for correlation in sent]
    assert len({answer.schedule_id for answer in answers}) == 1
    assert 10 <= seen < 700  # so many come with what has been read by then


async def test_looks_at_schedules_of_clients_that_come_ask_and_go_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They go on to wait while the index hangs, and each is a task."""
    gate = asyncio.Event()

    async def page_later(*_: Any) -> commands.Page:
        await gate.wait()
        return commands.Page([], False, 0)

    monkeypatch.setattr(engine, "Unanswered", partial(Unanswered, in_all_max=5 * LARGE))
    monkeypatch.setattr(commands.ScheduleCommands, "page", page_later)
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for _ in range(4):
            guest = await RawClient.connect(server.port)
            for _ in range(10):
                guest.send(m.ListSchedules(topic.topic_id, 0, 0))
                await client.ask(m.Ping(), m.Pong)
            guest.send(m.Bye())
            assert await guest.at_end()
        seen = len(server._engine._tasks)
        gate.set()
    assert seen <= 11
