"""Carrying effects out, in order, and together where the disk allows it."""

import asyncio
import errno
import os
from typing import Any

import pytest

from tapemq.wire import messages as m
from tapemq_broker.config import Settings
from tapemq_broker.core import effects as e
from tapemq_broker.core.queue import chores
from tapemq_broker.core.topics import CATALOG
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.server import Server
from tapemq_broker.storage.errors import SyncFailed
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.ahead_clock import AheadClock
from tests.support.queue_client import QueueClient
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import memory_world, running_server
from tests.support.stuck_disk import StuckDisk


async def test_durable_receipts_leave_in_the_order_of_publishes() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        rounds_before = server.status().sync_rounds
        sent = [client.send_publish(topic, b"%d" % number) for number in range(50)]
        receipts = [await client.answer(correlation, m.Receipt) for correlation in sent]
        assert [receipt.base_offset for receipt in receipts] == list(range(50))
        assert server.status().sync_rounds - rounds_before < 50


async def test_a_record_leaves_before_its_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.subscribe(topic)
        sent, send = [], Connection.send

        def noted(self: Connection, message: m.Message, **options: Any) -> None:
            sent.append(type(message))
            send(self, message, **options)

        monkeypatch.setattr(Connection, "send", noted)
        await client.publish(topic, b"x")
        assert [kind for kind in sent if kind is not m.Assigned] == [m.Deliver, m.Receipt]


async def test_topics_made_at_once_are_all_made() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        names = [f"t{number}" for number in range(20)]
        topics = await asyncio.gather(*(made(server.port, name) for name in names))
        assert len({topic.topic_id for topic in topics}) == len(names)
        listed = await client.ask(m.ListTopics(), m.Names)
        assert listed.names == sorted(names)


async def made(port: int, name: str) -> m.Topic:
    return await (await RawClient.connect(port)).topic(name)


class AwkwardDisk(MemoryDisk):
    """A disk that has no room for a partition's second log, or of which no more files can be
    opened, that removes nothing, or syncs no names."""

    full = False
    exhausted = False
    stubborn = False
    broken = False
    error = errno.EIO
    refused = 0

    def make_directory(self, path: str) -> None:
        if self.broken:
            raise SyncFailed(self.error, os.strerror(self.error), path)
        super().make_directory(path)

    def open(self, path: str, *, create: bool = False) -> Any:
        if self.full and create and ".groups" in path:
            raise OSError(errno.ENOSPC, "no space left")
        if self.exhausted:
            raise OSError(errno.EMFILE, "too many open files", path)
        return super().open(path, create=create)

    def rename(self, source: str, target: str) -> None:
        if self.stubborn:
            self.refused += 1
            raise OSError(errno.EPERM, "not permitted")
        super().rename(source, target)

    def sync_directory(self, path: str) -> None:
        if self.broken:
            raise SyncFailed(self.error, os.strerror(self.error), path)
        super().sync_directory(path)


@pytest.fixture
async def disk() -> AwkwardDisk:
    return AwkwardDisk(post=asyncio.get_running_loop().call_soon)


async def test_a_topic_that_cannot_be_made_leaves_nothing_behind(
    disk: AwkwardDisk, caplog: pytest.LogCaptureFixture
) -> None:
    """Clients try again and again while the disk is full."""
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        disk.full = True
        with pytest.raises(Refused) as refused:
            await client.topic("t")
        assert refused.value.name == "disk_full"
        assert disk.list_directory("topics/default") == []
        assert "a topic cannot be made: " in caplog.text
        disk.full = False
        assert (await client.topic("t")).partitions == 1


async def test_a_broker_that_can_open_no_more_files_goes_on(
    disk: AwkwardDisk, caplog: pytest.LogCaptureFixture
) -> None:
    """Who publishes to very many partitions at once has them all opened until they are synced."""
    async with running_server(disk, segment_bytes=4096) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, bytes(4000))
        disk.exhausted = True
        for _ in range(2):  # it would begin a segment
            with pytest.raises(Refused) as refused:
                await client.publish(topic, bytes(4000))
            assert (refused.value.name, "no more files" in str(refused.value)) == (
                "overloaded",
                True,
            )
        with pytest.raises(Refused) as refused:
            await client.topic("another")
        assert refused.value.name == "overloaded"
        assert "too many open files" in str(refused.value)
        disk.exhausted = False
        assert (await client.publish(topic, bytes(4000))).base_offset == 1
        await client.topic("another")
    assert caplog.text.count("open more files") == 2  # once of each: publishing, and the topic


async def test_files_that_cannot_be_removed_do_not_end_the_broker(disk: AwkwardDisk) -> None:
    ended: list[str] = []
    server = Server(Settings(), memory_world(disk)._replace(fatal=ended.append))
    await server.start("127.0.0.1", 0)
    client = await RawClient.connect(server.port)
    await client.topic("t")
    disk.stubborn = True
    await client.ask(m.DeleteTopic("t"), m.Done)
    while not disk.refused:
        await client.ask(m.Ping(), m.Pong)
    await client.ask(m.Ping(), m.Pong)
    client.close()
    await server.stop()
    assert ended == []
    assert len(disk.list_directory("topics/default")) == 1


async def test_a_failed_sync_while_files_are_removed_ends_the_broker(disk: AwkwardDisk) -> None:
    """The directory may hold the name of a topic made at the same time, unsynced."""
    ended: list[str] = []
    server = Server(Settings(), memory_world(disk)._replace(fatal=ended.append))
    await server.start("127.0.0.1", 0)
    client = await RawClient.connect(server.port)
    await client.topic("t")
    disk.broken = True
    await client.ask(m.DeleteTopic("t"), m.Done)
    while not ended:
        await client.ask(m.Ping(), m.Pong)
    assert ended[0].startswith("a sync failed while topic t was removed")
    disk.broken = False
    client.close()
    await server.stop()


async def test_a_failed_sync_while_a_topic_is_made_ends_the_broker_whatever_its_error(
    disk: AwkwardDisk,
) -> None:
    """A full disk may be tried again, but what a second sync says of the first is nothing."""
    ended: list[str] = []
    server = Server(Settings(), memory_world(disk)._replace(fatal=ended.append))
    await server.start("127.0.0.1", 0)
    client = await RawClient.connect(server.port)
    disk.error = errno.ENOSPC
    disk.broken = True
    with pytest.raises(Refused):
        await client.topic("t")
    assert ended[0].startswith("the logs of topic t cannot be made")
    disk.broken = False
    client.close()
    await server.stop()


async def test_nobody_sees_partitions_that_a_power_cut_could_take() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        one, other = [await RawClient.connect(server.port) for _ in range(2)]
        await one.topic("t")
        assert server._engine is not None
        logs, keys = server._engine.logs, (b"topic/t", b"topic/u")
        before = {key: logs.last_value(CATALOG, key) for key in keys}
        disk.stuck = True
        asked = [one.send(m.AlterTopic("t", 2)), one.send(m.CreateTopic("u"))]
        while any(logs.last_value(CATALOG, key) == before[key] for key in keys):  # noqa: ASYNC110
            await asyncio.sleep(0)
        topic = await other.ask(m.DescribeTopic("t"), m.Topic)
        listed = await other.ask(m.ListTopics(), m.Names)
        disk.release()
        assert (topic.partitions, listed.names) == (1, ["t"])
        assert [(await one.answer(each, m.Topic)).partitions for each in asked] == [2, 1]


async def handle(client: QueueClient, topic: m.Topic) -> None:
    """Let groups handle what is in partition 1: "g" reads, "q" acks, and "gone" will be deleted."""
    for number, group in enumerate(("g", "gone")):
        await client.subscribe(topic, subscription=number + 10, group=group)
        both = [(await client.push_of(m.Assigned))[0] for _ in range(2)]
        (generation,) = [one.generation for one in both if one.partition == 1]
        await client.ask(m.Commit(topic.topic_id, group, 1, generation, 1), m.Done)
    await client.consume(topic, group="q")
    await client.settle("ack", (await client.leased()).tokens())


async def forgotten_partition(*, handled: bool = False) -> tuple[MemoryDisk, m.Topic, str]:
    """A power cut may take the change of a topic, and leave a record of its new partition: the
    disk, the topic, and the segment that the catalog does not know."""
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    catalog = "catalog/00000000000000000000.log"
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        before = disk.read_file(catalog) or b""
        await client.ask(m.AlterTopic("t", 2), m.Topic)
        await client.publish(topic, b"x", partition=1, producer_id=7)
        if handled:
            await handle(client, topic)
    for path in ("CLEAN", *(f"catalog/{name}" for name in disk.list_directory("catalog"))):
        disk.remove(path)
    disk.replace_file(catalog, before)
    (folder,) = disk.list_directory("topics/default")
    return disk, topic, f"topics/default/{folder}1/00000000000000000000.log"


async def test_records_of_a_partition_that_the_catalog_forgot_are_not_written_twice() -> None:
    """And who reads there already is told of them, though nothing is appended."""
    disk, topic, _ = await forgotten_partition()
    async with running_server(disk) as server:
        client, reader, worker = [await QueueClient.connect(server.port) for _ in range(3)]
        await reader.subscribe(topic)
        await worker.consume(topic)
        await client.ask(m.AlterTopic("t", 2), m.Topic)
        again = await client.publish(topic, b"x", partition=1, producer_id=7)
        assert (again.base_offset, again.duplicate) == (0, True)
        deliver, _ = await reader.push_of(m.Deliver)
        leased, _ = await worker.push_of(m.Leased)
        assert (deliver.partition, leased.partition) == (1, 1)


async def test_groups_go_on_where_they_were_in_a_partition_that_the_catalog_forgot() -> None:
    """What was committed or acked there was confirmed."""
    disk, topic, _ = await forgotten_partition(handled=True)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        await client.ask(m.DeleteGroup(topic.topic_id, "gone"), m.Done)
        await client.ask(m.AlterTopic("t", 2), m.Topic)
        for group in ("g", "q"):
            found = await client.ask(m.DescribeGroup(topic.topic_id, group, 1), m.Group)
            assert (found.cursor, found.lag) == (1, 0)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        listed = await client.ask(m.ListGroups(topic.topic_id), m.Names)
        assert listed.names == ["g", "q"]
        for group in listed.names:
            found = await client.ask(m.DescribeGroup(topic.topic_id, group, 1), m.Group)
            assert (found.cursor, found.lag) == (1, 0)


async def test_a_forgotten_partition_that_is_shorter_than_groups_say_is_not_made_again() -> None:
    """Its offsets would be given a second time."""
    disk, _, segment = await forgotten_partition(handled=True)
    folder = segment.rpartition("/")[0]
    for name in disk.list_directory(folder):
        disk.remove(f"{folder}/{name}")
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        with pytest.raises(Refused, match="all offsets below 1 were on disk"):
            await client.ask(m.AlterTopic("t", 2), m.Topic)
        assert (await client.ask(m.DescribeTopic("t"), m.Topic)).partitions == 1


async def test_a_partition_that_the_catalog_forgot_is_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk, _, segment = await forgotten_partition()
    async with running_server(disk) as server:
        assert f"{segment.rpartition('/')[0]}: the catalog knows no such partition" in caplog.text
        assert caplog.text.count("the catalog knows no such") == 1
        client = await RawClient.connect(server.port)
        await client.ask(m.AlterTopic("t", 2), m.Topic)
    caplog.clear()
    async with running_server(disk):
        assert "the catalog knows no such" not in caplog.text


async def test_damage_of_a_partition_that_the_catalog_forgot_refuses_the_change() -> None:
    disk, topic, segment = await forgotten_partition()
    disk.open(segment).truncate(120)
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        with pytest.raises(Refused, match="MISSING_BYTES"):
            await client.ask(m.AlterTopic("t", 2), m.Topic)
        await client.publish(topic, b"y")
    assert disk.size_bytes(segment) == 120


async def test_what_is_put_off_lets_others_come_first() -> None:
    async with running_server() as server:
        done: list[str] = []
        engine = server._engine
        assert engine is not None

        def more() -> e.Effects:
            done.append("later")
            return [] if done.count("later") == 2 else [e.Later(more)]

        first: e.Effects = [e.Later(more)]
        engine.run(first)
        assert done == []
        while done.count("later") < 2:
            asyncio.get_running_loop().call_soon(done.append, "other")
            await asyncio.sleep(0)
        first_at, last_at = (at for at, what in enumerate(done) if what == "later")
        assert "other" in done[:first_at]
        assert "other" in done[first_at:last_at]


async def test_a_consumer_gets_what_one_with_many_leases_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chores, "RUNS_AT_ONCE", 8)
    async with running_server() as server:
        one, other = [await QueueClient.connect(server.port) for _ in range(2)]
        topic = await one.topic("t")
        for _ in range(20):
            await one.publish(topic, b"x")
        await one.consume(topic, credit_records=0)
        for _ in range(20):
            one.send(m.Credit(1, 1, 0))
            await one.leased()
        await other.consume(topic)
        one.close()
        found = await other.leases(20)
        assert sorted(offset for lease in found for offset in lease.offsets) == list(range(20))


@pytest.mark.parametrize("how", ["replaced", "deleted"])
async def test_nothing_is_kept_of_subscriptions_that_the_broker_has_ended(how: str) -> None:
    """A connection lives for months, and reads many topics, or one under many numbers."""
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        for number in range(1, 6):
            if how == "deleted" or number == 1:
                topic = await client.topic(f"t{number}", partitions=2)
                await client.publish(topic, b"a", partition=1)
            await client.subscribe(topic, subscription=number, group="g", member="m")
            await client.push_of(m.Deliver)
            if how == "deleted":
                await client.ask(m.DeleteTopic(topic.topic), m.Done)
                await client.push_of(m.Detached)
        (connection,) = server._engine.sessions.by_number.values()
        assert len(connection.hints) <= 1


async def test_a_retry_does_not_wait_longer_when_the_clock_was_set_back_before_a_start() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    clock = AheadClock()
    async with running_server(disk, clock=clock) as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"x")
        await client.consume(topic)
        lease = await client.leased()
        assert server._engine is not None
        clock.wall_ahead_s = 3600.0
        server._engine.due_clock.now_us()  # as a timer does
        clock.wall_ahead_s = 0.0
        await client.settle("nack", lease.tokens(), by_policy=False, delay_ms=1)
        client.close()
    async with running_server(disk, clock=clock) as server:
        client = await QueueClient.connect(server.port)
        await client.consume(topic)
        assert (await client.leased()).offsets == [0]
