"""What is removed by age and size, and what is not."""

import asyncio
from typing import Any

import pytest

from tapemq.wire import messages as m
from tapemq_broker.config import MIB, Settings
from tapemq_broker.core.topic import Topic
from tapemq_broker.server.retention import Retention
from tapemq_broker.server.server import Server
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.ahead_clock import AheadClock
from tests.support.raw_client import RawClient
from tests.support.running_server import memory_world, running_server

SEGMENT_BYTES = 4096
PARTITIONS = 150


def files_of(disk: MemoryDisk) -> list[str]:
    (topic,) = disk.list_directory("topics/default")
    return [name for name in disk.list_directory(f"topics/default/{topic}0") if ".log" in name]


async def test_retention_by_size_leaves_what_a_group_holds() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk, retention_check_s=0.001) as server:
        client = await RawClient.connect(server.port)
        settings = {"segment_bytes": SEGMENT_BYTES, "retention_bytes": SEGMENT_BYTES}
        topic = await client.topic("t", settings=settings)
        await client.subscribe(topic, group="slow", hold=True)
        assigned, _ = await client.push_of(m.Assigned)
        for _ in range(20):
            await client.publish(topic, b"x" * 1000)
        ask = m.DescribePartition(topic.topic_id, 0)
        assert (await client.ask(ask, m.Partition)).first_offset == 0
        commit = m.Commit(topic.topic_id, "slow", 0, assigned.generation, 20)
        await client.ask(commit, m.Done)
        while (await client.ask(ask, m.Partition)).first_offset == 0:
            pass
        while len(files_of(disk)) > 2:  # removed in the background
            await client.ask(m.Ping(), m.Pong)


async def test_a_partition_is_cut_to_its_size_though_a_segment_could_hold_all_of_it() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk, retention_check_s=0.001) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t", settings={"retention_bytes": 2 * MIB})
        for _ in range(10):
            await client.publish(topic, b"x" * (MIB // 2))
        ask = m.DescribePartition(topic.topic_id, 0)
        while (found := await client.ask(ask, m.Partition)).first_offset < 4:
            pass
        assert found.size_bytes >= 2 * MIB


async def test_a_topic_that_says_never_is_not_cut_by_the_brokers_default() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    defaults: dict[str, Any] = {"retention_check_s": 0.001, "retention_bytes": SEGMENT_BYTES}
    async with running_server(disk, **defaults, segment_bytes=SEGMENT_BYTES) as server:
        client = await RawClient.connect(server.port)
        kept = await client.topic("kept", settings={"retention_bytes": 0})
        cut = await client.topic("cut")
        for topic in (kept, cut):
            for _ in range(20):
                await client.publish(topic, b"x" * 1000)
        while (await first_offset(client, cut)) == 0:
            pass
        assert await first_offset(client, kept) == 0


async def first_offset(client: RawClient, topic: m.Topic, partition: int = 0) -> int:
    found = await client.ask(m.DescribePartition(topic.topic_id, partition), m.Partition)
    return found.first_offset


async def test_a_part_of_a_second_is_an_age() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    settings: dict[str, Any] = {"retention_check_s": 0.001, "retention_age_s": 0.01}
    async with running_server(disk, **settings, segment_bytes=SEGMENT_BYTES) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        ask = m.DescribePartition(topic.topic_id, 0)
        while (await client.ask(ask, m.Partition)).first_offset == 0:
            await client.publish(topic, b"x" * 1000)


async def test_records_of_a_slow_topic_go_at_their_age() -> None:
    """Long before they fill a segment."""
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    settings: dict[str, Any] = {"retention_check_s": 0.001, "retention_age_s": 0.01}
    async with running_server(disk, **settings) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        while (await first_offset(client, topic)) == 0:
            await client.publish(topic, b"x")


async def test_records_go_at_their_age_after_a_start_too() -> None:
    """What was written before it counts from when it was written."""
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    clock = AheadClock()
    world = memory_world(disk)._replace(clock=clock)
    settings = Settings(retention_check_s=0.001, retention_age_s=3600)
    for ahead_s in (0, 2 * 3600):
        clock.wall_ahead_s = ahead_s
        server = Server(settings, world)
        await server.start("127.0.0.1", 0)
        client = await RawClient.connect(server.port)
        topic = await client.ask(m.DescribeTopic("t", create=True), m.Topic)
        await client.publish(topic, b"x")
        while ahead_s and len(files_of(disk)) < 2:
            await client.ask(m.Ping(), m.Pong)
        RawClient.close_all()
        await server.stop()


async def test_many_partitions_are_all_cut() -> None:
    """More than are looked at in one turn of the loop."""
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    settings: dict[str, Any] = {"retention_bytes": 1, "segment_bytes": SEGMENT_BYTES}
    async with running_server(disk, retention_check_s=0.001, **settings) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t", partitions=PARTITIONS)
        for partition in (0, PARTITIONS - 1):
            for _ in range(9):
                await client.publish(topic, b"x" * 1000, partition=partition)
        for partition in (0, PARTITIONS - 1):
            while (await first_offset(client, topic, partition)) == 0:
                pass


async def test_a_jump_of_the_clock_makes_nothing_old() -> None:
    """Not even when something is written behind it. The other topic shows that time has come."""
    clock = AheadClock()
    settings = Settings(retention_check_s=0.001, segment_bytes=SEGMENT_BYTES)
    server = Server(settings, memory_world()._replace(clock=clock))
    await server.start("127.0.0.1", 0)
    client = await RawClient.connect(server.port)
    aged = await client.topic("aged", settings={"retention_age_s": 3600})
    cut = await client.topic("cut", settings={"retention_bytes": SEGMENT_BYTES})
    for ahead_s in (0, 365 * 86_400):
        clock.wall_ahead_s = ahead_s
        for topic in (aged, cut):
            for _ in range(9):
                await client.publish(topic, b"x" * 1000)
    while (await first_offset(client, cut)) == 0:
        pass
    assert await first_offset(client, aged) == 0
    RawClient.close_all()
    await server.stop()


async def test_groups_are_asked_only_where_something_is_to_be_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There may be ten thousand of them, for each of very many partitions."""
    settings: dict[str, Any] = {"retention_bytes": 2 * SEGMENT_BYTES, "retention_age_s": 3600}
    async with running_server(segment_bytes=SEGMENT_BYTES, **settings) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        asked: list[int] = []
        hold_offset = Topic.hold_offset

        def spy(topic: Topic, partition: int) -> int | None:
            asked.append(partition)
            return hold_offset(topic, partition)

        monkeypatch.setattr(Topic, "hold_offset", spy)
        retention = Retention(Settings(**settings), server._engine)
        ((_, log),) = server._engine.logs.data_logs()
        for number in range(10):
            await client.publish(topic, b"x" * 3000)
            retention.apply(log)
            assert bool(asked) == (number > 2)
