"""The logs of a broker on a full disk: what was refused is written later, or not at all."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest

from tapemq.batch import HEADER_BYTES, Kind, LogId, Role, checksum
from tapemq.wire import messages as m
from tapemq_broker.config import Settings
from tapemq_broker.core.effects import Append, PutState
from tapemq_broker.core.results import TopicInfo
from tapemq_broker.core.topics import CATALOG
from tapemq_broker.server.logs import Logs
from tapemq_broker.server.world import World
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.disk import File
from tapemq_broker.storage.errors import LogFull
from tapemq_broker.storage.memory_disk import MemoryDisk, Post
from tests.support.full_disk import FullDisk
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import memory_world, running_server


async def test_a_full_disk_refuses_publishes_and_loses_nothing() -> None:
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a", b"b")
        await client.subscribe(topic, group="g")
        assigned, _ = await client.push_of(m.Assigned)
        disk.full = True
        with pytest.raises(Refused) as refused:
            await client.publish(topic, b"c")
        assert refused.value.name == "disk_full"
        commit = m.Commit(topic.topic_id, "g", 0, assigned.generation, 2)
        committing = client.send(commit)
        with pytest.raises(Refused) as refused:
            await client.ask(m.Commit(topic.topic_id, "g", 0, assigned.generation, 2, 1), m.Done)
        assert refused.value.name == "deadline_exceeded"
        disk.full = False
        assert (await client.publish(topic, b"c")).base_offset == 2
        await client.answer(committing, m.Done)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        group = await client.ask(m.DescribeGroup(topic.topic_id, "g", 0), m.Group)
        assert group.cursor == 2


async def written(disk: MemoryDisk) -> tuple[World, Logs]:
    """The logs of 200 partitions, each with a batch that is on disk."""
    world = memory_world(disk)
    logs = Logs(world, DataDirectory.open(disk, bytes(16)), Settings())
    logs.add(logs.store.make_topic(TopicInfo("t", 1, 200, 1, {}), 0))
    for partition in range(200):
        log_id = LogId(1, partition, Role.DATA)
        logs.append(Append(log_id, Kind.DATA, 0, 1, b"", checksum(b"")), 0)
    await logs.all_durable()
    return world, logs


async def test_marks_of_many_logs_are_written_some_at_a_time() -> None:
    """Each is a write on the event loop, and on a full disk each would be tried in vain."""
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    world, logs = await written(disk)
    at_rest_bytes = HEADER_BYTES
    later = world.clock.monotonic() + 1
    disk.full = True
    logs.mark_idle(later, 0.1, 0)
    assert disk.refused == 1
    disk.full = False
    marked = []
    for _ in range(3):
        logs.mark_idle(later + 1, 0.1, 0)
        marked.append(sum(log.size_bytes > at_rest_bytes for _, log in logs.data_logs()))
    assert 0 < marked[0] < 200
    assert marked[-1] == 200
    disk.close()


async def test_files_that_marks_have_left_closed_are_not_all_opened_at_once() -> None:
    """A stop syncs the marks of all logs that came to rest: there may be more than can be open."""
    disk = SyncCounter(post=asyncio.get_running_loop().call_soon)
    _, logs = await written(disk)
    logs.mark_all()
    assert sum(log.is_dirty for _, log in logs.data_logs()) == 200
    disk.rounds.clear()
    await logs.all_durable()
    assert (sum(disk.rounds), max(disk.rounds) <= 64) == (200, True)
    assert not any(log.is_dirty for _, log in logs.data_logs())
    disk.close()


async def test_the_state_of_a_full_segment_is_synced_though_nothing_comes_behind_it() -> None:
    """Retention waits for it, and may be what makes room for more."""
    disk = SyncCounter(post=asyncio.get_running_loop().call_soon)
    _, logs = await written(disk)
    (_, log), *_ = logs.data_logs()
    disk.rounds.clear()
    logs.roll(log)
    await logs.all_durable()
    assert not log.has_unsynced_caches
    assert disk.rounds[-1] == 2  # and the index
    disk.close()


async def test_retention_has_a_state_synced_that_a_full_disk_did_not_take_before() -> None:
    """Nothing may come behind it, and the segment waits for it."""
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    _, logs = await written(disk)
    (log_id, log), *_ = logs.data_logs()
    disk.full = True
    logs.roll(log)
    await logs.all_durable()
    disk.full = False
    logs.append(Append(log_id, Kind.DATA, 0, 1, b"", checksum(b"")), 0)
    await logs.all_durable()
    assert logs.truncate_front(log_id, 1) == 0
    await logs.all_durable()
    assert logs.truncate_front(log_id, 1) == 1
    disk.close()


async def test_logs_that_go_with_their_topic_while_others_are_synced_are_left_alone() -> None:
    """A topic may be on its way out while the broker stops."""
    disk = SyncCounter(post=asyncio.get_running_loop().call_soon)
    world = memory_world(disk)
    logs = Logs(world, DataDirectory.open(disk, bytes(16)), Settings())
    infos = [TopicInfo("kept", 1, 100, 1, {}), TopicInfo("gone", 2, 100, 1, {})]
    for info in infos:
        logs.add(logs.store.make_topic(info, 0))
        for partition in range(100):
            log_id = LogId(info.topic_id, partition, Role.DATA)
            logs.append(Append(log_id, Kind.DATA, 0, 1, b"", checksum(b"")), 0)
    await logs.all_durable()
    logs.mark_all()
    disk.rounds.clear()
    synced = asyncio.create_task(logs.all_durable())
    await asyncio.sleep(0)
    assert len(disk.rounds) == 1
    logs.forget_topic(infos[1])
    logs.store.remove_topic(infos[1].name, infos[1].topic_id)
    await asyncio.wait_for(synced, 10)
    assert sum(disk.rounds) == 100
    disk.close()


class SyncCounter(MemoryDisk):
    """Notes how many files each round of syncs has."""

    def __init__(self, *, post: Post) -> None:
        super().__init__(post=post)
        self.rounds: list[int] = []

    def sync(self, files: Sequence[File], done: Callable[[Exception | None], None]) -> None:
        self.rounds.append(len(files))
        super().sync(files, done)


@pytest.mark.parametrize("partitions", [0, 2])
async def test_another_segment_size_holds_from_the_next_segment_on(partitions: int) -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        segments = []
        for segment_bytes in (0, 4096, 0):  # 0: the broker's
            settings: dict[str, int | str | bool] = {"segment_bytes": segment_bytes}
            await client.ask(m.AlterTopic("t", partitions, settings), m.Topic)
            for _ in range(3):
                await client.publish(topic, bytes(3000))
            (folder,) = disk.list_directory("topics/default")
            names = disk.list_directory(f"topics/default/{folder}0")
            segments.append(sum(name.endswith(".log") for name in names))
        assert segments == [1, 4, 4]


async def test_what_a_full_disk_refuses_has_not_happened() -> None:
    """So a retry is not told that there is such a topic, and a crash changes nothing."""
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.subscribe(topic, group="held")
        requests: list[tuple[m.Message, type[m.Topic | m.Done]]] = [
            (m.CreateTopic("new"), m.Topic),
            (m.AlterTopic("t", 0, {"retention_bytes": 5}), m.Topic),
            (m.AlterTopic("t", 2), m.Topic),
            (join(topic, 2, "g"), m.Done),
            (join(topic, 3, "held", hold=True), m.Done),
            (m.AlterGroup(topic.topic_id, "held", True), m.Done),
            (m.DeleteTopic("t"), m.Done),
        ]
        disk.full = True
        for request, _ in requests:
            for _ in range(2):
                assert await refusal(client, request) == "disk_full"
            assert (await client.ask(m.DescribeTopic("t"), m.Topic)) == topic
            names = await client.ask(m.ListTopics(), m.Names)
            assert names.names == ["t"]
            groups = await client.ask(m.ListGroups(topic.topic_id), m.Names)
            assert groups.names == ["held"]
            held = await client.ask(m.DescribeGroup(topic.topic_id, "held", 0), m.Group)
            assert (held.hold, held.members) == (False, 1)
        disk.full = False
        for request, answer in requests:
            await client.ask(request, answer)


async def refusal(client: RawClient, request: m.Message) -> str:
    with pytest.raises(Refused) as refused:
        await client.ask(request, m.Done)
    return refused.value.name


def join(topic: m.Topic, number: int, group: str, *, hold: bool = False) -> m.Subscribe:
    return m.Subscribe(
        number, topic.topic_id, group, "earliest", credit_records=9, credit_bytes=99, hold=hold
    )


async def test_changes_are_written_to_all_logs_or_to_none() -> None:
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    logs = logs_with_a_catalog(disk)
    made = logs.store.make_topic(TopicInfo("two", 2, 2, 1, {}), 0)
    logs.add(made)
    first, second = (LogId(2, partition, Role.GROUPS) for partition in range(2))
    logs.put_state(first, {b"g": b"old"}, 0)
    disk.room_for = 1
    disk.full = True
    puts = [PutState(log_id, {b"g": b"new", b"h": b"1"}) for log_id in (first, second)]
    with pytest.raises(LogFull):
        logs.put_all(puts, 0)
    disk.full = False
    assert logs.state_end(first) is not None
    assert [groups.entries for _, groups, _ in made] == [{b"g": b"old"}, {}]
    logs.put_all(puts, 0)
    assert [groups.entries for _, groups, _ in made] == [{b"g": b"new", b"h": b"1"}] * 2


def logs_with_a_catalog(disk: MemoryDisk) -> Logs:
    logs = Logs(memory_world(disk), DataDirectory.open(disk, bytes(16)), Settings())
    logs.add_state(logs.store.open_catalog(None))
    logs.add(logs.store.make_topic(TopicInfo("t", 1, 1, 1, {}), 0))
    return logs


async def test_nothing_is_appended_that_the_catalog_may_not_know() -> None:
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    logs = logs_with_a_catalog(disk)
    disk.full = True
    logs.put_state(CATALOG, {b"topic/t": b"1"}, 0)
    disk.full = False
    logs.append(Append(LogId(1, 0, Role.DATA), Kind.DATA, 0, 1, b"", checksum(b"")), 0)
    await logs.all_durable()
    disk.power_cut()
    found = Logs(memory_world(disk), DataDirectory.open(disk, bytes(16)), Settings())
    assert found.store.open_catalog(None).entries == {b"topic/t": b"1"}


async def test_nothing_is_appended_while_the_catalog_alone_has_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would be confirmed, and be gone with its topic at the next start."""
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    logs = logs_with_a_catalog(disk)
    disk.full = True
    logs.put_state(CATALOG, {b"topic/t": b"1"}, 0)
    disk.full = False

    def put(changes: Mapping[bytes, bytes | None], now_us: int) -> None:
        raise LogFull("no room")

    monkeypatch.setattr(logs._states[CATALOG], "put", put)
    data = LogId(1, 0, Role.DATA)
    with pytest.raises(LogFull):
        logs.append(Append(data, Kind.DATA, 0, 1, b"", checksum(b"")), 0)
    assert logs.next_offset(data) == 0


async def test_catalog_is_not_durable_while_a_full_disk_keeps_it_out() -> None:
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    logs = logs_with_a_catalog(disk)
    disk.full = True
    logs.put_state(CATALOG, {b"topic/t": None}, 0)
    waiting = asyncio.create_task(logs.catalog_durable())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


class CrowdedDisk(MemoryDisk):
    """A disk on which little is left."""

    left_bytes = 1 << 20

    def free_bytes(self) -> int:
        return self.left_bytes


async def test_several_logs_are_not_begun_where_there_may_be_no_room_for_all_of_them() -> None:
    """A crash could come before what one of them took is taken back."""
    disk = CrowdedDisk(post=asyncio.get_running_loop().call_soon)
    logs = logs_with_a_catalog(disk)
    logs.add(logs.store.make_topic(TopicInfo("two", 2, 2, 1, {}), 0))
    puts = [PutState(LogId(2, partition, Role.GROUPS), {b"g": b"1"}) for partition in range(2)]
    disk.left_bytes = 100_000
    with pytest.raises(LogFull):
        logs.put_all(puts, 0)
    assert [logs.last_value(put.log, b"g") for put in puts] == [None, None]
    logs.put_all(puts[:1], 0)
    disk.left_bytes = 1 << 20
    logs.put_all(puts, 0)
    assert [logs.last_value(put.log, b"g") for put in puts] == [b"1", b"1"]


@pytest.mark.parametrize("kept", [1, 100])
async def test_what_is_put_once_there_is_room_is_newer_than_what_waited(kept: int) -> None:
    """The put begins a round, which writes what waits."""
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    logs = logs_with_a_catalog(disk)
    groups = LogId(1, 0, Role.GROUPS)
    disk.full = True
    logs.put_state(groups, {b"%d" % number: b"old" for number in range(kept)}, 0)
    disk.full = False
    logs.put_state(groups, {b"0": b"new"}, 0)
    assert logs.last_value(groups, b"0") == b"new"
    assert len(logs._states[groups].entries) == kept


@pytest.mark.parametrize("is_full", [True, False])
async def test_what_is_put_is_newer_than_changes_that_a_full_disk_did_not_take(
    is_full: bool,
) -> None:
    """A group that is deleted would be there again, with what was changed in it before."""
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    logs = logs_with_a_catalog(disk)
    groups = LogId(1, 0, Role.GROUPS)
    logs.take_changes = lambda log_id: {b"g": b"old"}
    disk.full = True
    logs.state_changed(groups)
    logs.write_soon()
    disk.full = is_full
    logs.put_state(groups, {b"g": None}, 0)
    disk.full = False
    await logs.all_durable()
    assert logs._states[groups].entries == {}
