"""A start by time is looked up on disk, before the core is asked."""

import asyncio
import errno
import threading
from collections.abc import Awaitable
from functools import partial
from typing import Any

import pytest

from tapemq.wire import messages as m
from tapemq_broker.server import engine
from tapemq_broker.server.handlers.lookups import LOOKUPS_MAX
from tapemq_broker.server.unanswered import LARGE, Unanswered
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import running_server


async def test_a_time_behind_the_last_record_waits_for_the_next() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        receipt = await client.publish(topic, b"a")
        await client.subscribe(topic, start="time", start_value=receipt.append_time_us + 10**9)
        assigned, _ = await client.push_of(m.Assigned)
        assert assigned.offset == 1


async def test_a_time_in_a_topic_that_is_gone_is_refused() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.ask(m.DeleteTopic("t"), m.Done)
        with pytest.raises(Refused) as refused:
            await client.subscribe(topic, start="time", start_value=1)
        assert refused.value.name == "stale_metadata"
        with pytest.raises(Refused):
            await client.ask(m.Seek(topic.topic_id, "g", 0, "time", 1), m.Done)


async def test_a_time_in_a_partition_that_is_not_there_is_refused() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        with pytest.raises(Refused) as refused:
            await client.subscribe(topic, start="time", start_value=1, partitions=[7])
        assert refused.value.name == "unknown_partition"


async def test_look_ups_do_not_pile_up() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        ask = m.DescribePartition(topic.topic_id, 0, time_us=1)
        asked = [client.send(ask) for _ in range(10 * LOOKUPS_MAX)]
        answers = [client.answer(correlation, m.Partition) for correlation in asked]
        told = [await outcome_of(answer) for answer in answers]
        assert set(told) == {"told", "overloaded"}
        assert (await client.ask(ask, m.Partition)).time_offset == 0


async def outcome_of(answer: Awaitable[m.Partition]) -> str:
    try:
        await answer
    except Refused as refused:
        return refused.name
    return "told"


@pytest.mark.parametrize("kind", ["stream", "queue"])
async def test_who_leaves_while_the_start_is_looked_up_is_not_there(kind: str) -> None:
    """Else a member that nobody knows of would keep its partitions from all others."""
    async with running_server() as server:
        client, other = [await RawClient.connect(server.port) for _ in range(2)]
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        wish: m.Message = m.Subscribe(1, topic.topic_id, "g", start="time", start_value=1)
        if kind == "queue":
            wish = m.Consume(1, topic.topic_id, "g", start="time", start_value=1)
        asked, left = client.send(wish), client.send(m.Unsubscribe(1))
        again = client.send(wish)  # the number is free at once
        await client.answer(left, m.Done)
        with pytest.raises(Refused) as refused:
            await client.answer(asked, m.Done)
        assert refused.value.name == "unknown_subscription"
        await client.answer(again, m.Done)
        await client.ask(m.Unsubscribe(1), m.Done)
        group = await other.ask(m.DescribeGroup(topic.topic_id, "g", 0), m.Group)
        assert group.members == 0
        with pytest.raises(Refused):
            await client.ask(m.Unsubscribe(1), m.Done)


async def test_a_subscription_that_is_coming_is_not_begun_twice() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        wish = m.Subscribe(1, topic.topic_id, start="time", start_value=1)
        first, second = client.send(wish), client.send(wish)
        with pytest.raises(Refused, match="exists already"):
            await client.answer(second, m.Done)
        await client.answer(first, m.Done)


@pytest.mark.parametrize("kind", ["stream", "queue"])
async def test_a_group_goes_on_though_what_its_start_would_look_at_is_damaged(kind: str) -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t", settings={"segment_bytes": 4096})
        sent = [await client.publish(topic, b"x" * 1000) for _ in range(12)]
        start: dict[str, Any] = {"start": "time", "start_value": sent[0].append_time_us}
        one: m.Message = m.Subscribe(1, topic.topic_id, "g")
        two: m.Message = m.Subscribe(2, topic.topic_id, "g", **start)
        if kind == "queue":
            one = m.Consume(1, topic.topic_id, "g", start="latest")
            two = m.Consume(2, topic.topic_id, "g", **start)
        await client.ask(one, m.Done)
        (folder,) = disk.list_directory("topics/default")
        disk.open(f"topics/default/{folder}0/{0:020}.log").rewrite(0, b"damaged")
        await client.ask(two, m.Done)
        with pytest.raises(Refused, match="damaged"):
            await client.subscribe(topic, subscription=3, **start)


async def test_who_looks_a_topic_up_that_is_deleted_meanwhile_hears_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And not that the disk has failed."""
    gate, offset_at = threading.Event(), Log.offset_at

    def look_later(log: Log, time_us: int) -> int:
        gate.wait()
        return offset_at(log, time_us)

    monkeypatch.setattr(Log, "offset_at", look_later)
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t", partitions=2)
        wish = m.Subscribe(1, topic.topic_id, "", start="time", start_value=1)
        asked = client.send(wish)
        await client.ask(m.DeleteTopic("t"), m.Done)
        while any(log_id.topic_id == topic.topic_id for log_id in server._engine.logs.in_use()):
            await client.ask(m.Ping(), m.Pong)
        gate.set()
        with pytest.raises(Refused) as refused:
            await client.answer(asked, m.Done)
        assert refused.value.name == "stale_metadata"


async def test_look_ups_of_clients_that_come_ask_and_go_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They go on to wait while reads hang, and each is a task."""
    gate = threading.Event()

    def look_later(log: Log, time_us: int) -> int:
        gate.wait()
        return 0

    monkeypatch.setattr(engine, "Unanswered", partial(Unanswered, in_all_max=5 * LARGE))
    monkeypatch.setattr(Log, "offset_at", look_later)
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for _ in range(4):
            guest = await RawClient.connect(server.port)
            for _ in range(10):
                guest.send(m.DescribePartition(topic.topic_id, 0, time_us=1))
                await client.ask(m.Ping(), m.Pong)
            guest.send(m.Bye())
            assert await guest.at_end()
        seen = len(server._engine._tasks)
        gate.set()
    assert seen <= 11


@pytest.mark.parametrize(
    ("number", "name"), [(errno.EMFILE, "overloaded"), (errno.EIO, "storage_failed")]
)
async def test_who_looks_up_while_no_file_can_be_opened_may_try_again(
    number: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is as sound as before."""

    def fail(log: Log, time_us: int) -> int:
        raise OSError(number, "it cannot be opened")

    monkeypatch.setattr(Log, "offset_at", fail)
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        with pytest.raises(Refused) as refused:
            await client.subscribe(topic, start="time", start_value=1)
        assert refused.value.name == name
