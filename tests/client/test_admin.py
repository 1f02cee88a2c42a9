from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

import tapemq
from tapemq.batch import Columns, encode_body
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.fake_broker.topic import GroupState
from tests.support.sdk import client_of

pytestmark = pytest.mark.both_loops


@pytest.fixture
async def broker() -> AsyncIterator[FakeBroker]:
    async with FakeBroker() as broker:
        yield broker


@pytest.fixture
async def client(broker: FakeBroker) -> AsyncIterator[tapemq.Client]:
    async with await client_of(broker) as client:
        yield client


async def test_topic_is_created_described_and_altered(client: tapemq.Client) -> None:
    made = await client.create_topic("t", partitions=2, retention_bytes=5)
    assert made == tapemq.TopicInfo("t", 1, 2, 1, {"retention_bytes": 5})
    assert await client.topic("t") == made
    changed = await client.alter_topic("t", partitions=3, compact=True)
    assert (changed.partitions, changed.version) == (3, 2)
    assert changed.settings == {"retention_bytes": 5, "compact": True}


async def test_topic_is_created_once(client: tapemq.Client) -> None:
    await client.create_topic("t")
    with pytest.raises(tapemq.TopicExists):
        await client.create_topic("t")


async def test_lost_answer_is_not_guessed(broker: FakeBroker, client: tapemq.Client) -> None:
    broker.react(m.CreateTopic, Reaction.LOSE)
    with pytest.raises(tapemq.IndeterminateError, match="CreateTopic"):
        await client.create_topic("t")
    broker.react(m.DeleteTopic, Reaction.LOSE)
    with pytest.raises(tapemq.IndeterminateError, match="DeleteTopic"):
        await client.delete_topic("t")


async def test_topic_is_deleted(client: tapemq.Client) -> None:
    await client.create_topic("t")
    await client.delete_topic("t")
    with pytest.raises(tapemq.TopicNotFound):
        await client.topic("t")
    with pytest.raises(tapemq.TopicNotFound):
        await client.delete_topic("t")


async def test_looking_at_a_topic_does_not_create_it(
    broker: FakeBroker, client: tapemq.Client
) -> None:
    with pytest.raises(tapemq.TopicNotFound):
        await client.partitions("t")
    assert not broker.topics


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9])
async def test_names_come_in_pages(broker: FakeBroker, client: tapemq.Client, count: int) -> None:
    broker.page = 4
    names = [f"t{number}" for number in range(count)]
    for name in reversed(names):
        broker.create(name)
    assert await client.topics() == names


async def test_partitions_are_described(broker: FakeBroker, client: tapemq.Client) -> None:
    topic = broker.create("t", partitions=70)
    topic.partitions[1].append(encode_body(Columns([b"a", b"b"])), 2)
    infos = await client.partitions("t")
    assert [info.partition for info in infos] == list(range(70))
    assert [info.next_offset for info in infos[:3]] == [0, 2, 0]
    one = await client.partition("t", 1, at=datetime(2020, 1, 1, tzinfo=UTC))
    assert (one.topic, one.partition, one.visible_offset, one.time_offset) == ("t", 1, 2, 1)
    assert broker.of(m.DescribePartition)[-1].time_us == 1_577_836_800_000_000
    assert (await client.partition("t", 1)).time_offset is None


async def test_groups_are_described(broker: FakeBroker, client: tapemq.Client) -> None:
    topic = broker.create("t", partitions=2)
    topic.partitions[1].append(encode_body(Columns([b"a", b"b"])), 2)
    for partition in topic.partitions:
        partition.groups = {"g": GroupState(cursor=0), "f": GroupState(cursor=0)}
    assert await client.groups("t") == ["f", "g"]
    group = await client.group("t", "g")
    assert (group.topic, group.name, group.kind, group.members) == ("t", "g", "stream", 1)
    assert [(p.partition, p.lag) for p in group.partitions] == [(0, 0), (1, 2)]
    assert group.lag == 2
    with pytest.raises(tapemq.GroupNotFound):
        await client.group("t", "other")


async def test_group_is_changed_and_deleted(broker: FakeBroker, client: tapemq.Client) -> None:
    broker.create("t").partitions[0].groups["g"] = GroupState(cursor=0)
    await client.alter_group("t", "g", hold=True)
    assert (await client.group("t", "g")).hold
    await client.delete_group("t", "g")
    assert await client.groups("t") == []
    with pytest.raises(tapemq.GroupNotFound):
        await client.delete_group("t", "g")


async def test_group_is_sought(broker: FakeBroker, client: tapemq.Client) -> None:
    topic = broker.create("t", partitions=3)
    for partition in topic.partitions:
        partition.append(encode_body(Columns([b"a", b"b"])), 2)
    await client.seek_group("t", "g", "latest")
    assert [partition.groups["g"].cursor for partition in topic.partitions] == [2, 2, 2]
    await client.seek_group("t", "g", 1, partition=2)
    assert [partition.groups["g"].cursor for partition in topic.partitions] == [2, 2, 1]
    with pytest.raises(tapemq.OffsetOutOfRange):
        await client.seek_group("t", "g", 9)


async def test_broker_tells_how_it_is(client: tapemq.Client) -> None:
    assert await client.status() == tapemq.BrokerInfo(
        "fake 1", timedelta(seconds=1.5), 0, 1, 10, 20, 30, "disk_low", 40
    )


@pytest.mark.parametrize("name", ["", ".hidden", "a b", "x" * 201, "ü"])
async def test_bad_names_are_refused_here(client: tapemq.Client, name: str) -> None:
    topic = await client.create_topic("t")
    with pytest.raises(ValueError, match="topic name"):
        await client.create_topic(name)
    with pytest.raises(ValueError, match="group name"):
        await client.delete_group(topic.name, name)
