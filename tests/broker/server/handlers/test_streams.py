"""Reading through a real server: credit, order, groups, the end of a topic."""

import pytest

from tapemq.batch import Kind, decode_columns, iter_batches
from tapemq.wire import messages as m
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import running_server


async def values_until(client: RawClient, end: int) -> list[bytes | None]:
    """Everything delivered up to an offset, each delivery checked."""
    found: list[bytes | None] = []
    while True:
        deliver, payload = await client.push(m.Deliver)
        records = [
            (header.base_offset + index, value)
            for header, body in iter_batches(payload)
            if header.kind is Kind.DATA
            for index, value in enumerate(decode_columns(body).values)
        ]
        wanted = [value for offset, value in records if offset >= deliver.offset]
        assert len(wanted) == deliver.records
        found += wanted
        if deliver.next_offset >= end:
            return found


@pytest.mark.both_loops
async def test_a_reader_gets_what_is_there_and_what_comes() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a", b"b")
        await client.subscribe(topic)
        assigned, _ = await client.push(m.Assigned)
        assert (assigned.partition, assigned.offset) == (0, 0)
        assert await values_until(client, 2) == [b"a", b"b"]
        await client.publish(topic, b"c")
        assert await values_until(client, 3) == [b"c"]


async def test_reading_starts_inside_a_batch() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a", b"b", b"c")
        await client.subscribe(topic, start="offset", start_value=2)
        assigned, _ = await client.push(m.Assigned)
        assert assigned.offset == 2
        assert await values_until(client, 3) == [b"c"]


async def test_credit_is_overrun_by_one_batch_at_most() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for number in range(10):
            await client.publish(topic, b"%d" % number, b"more")
        await client.subscribe(topic, credit_records=3)
        await client.push(m.Assigned)
        assert len(await values_until(client, 4)) == 4
        await client.ask(m.BrokerStatus(), m.Status)  # an answer later, nothing more has come
        client.send(m.Credit(1, 17, 1 << 20))
        assert len(await values_until(client, 20)) == 16


@pytest.mark.parametrize("start", ["earliest", "latest", "time"])
async def test_starts(start: str) -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        await client.subscribe(topic, start=start, start_value=1)
        assigned, _ = await client.push(m.Assigned)
        assert assigned.offset == (1 if start == "latest" else 0)


async def test_a_member_that_leaves_is_followed_by_the_next() -> None:
    async with running_server() as server:
        first = await RawClient.connect(server.port)
        second = await RawClient.connect(server.port)
        topic = await first.topic("t")
        await first.publish(topic, b"a", b"b")
        await first.subscribe(topic, group="g")
        before, _ = await first.push(m.Assigned)
        await second.subscribe(topic, group="g")
        await first.ask(m.Commit(topic.topic_id, "g", 0, before.generation, 1), m.Done)
        first.close()
        after, _ = await second.push(m.Assigned)
        assert (after.offset, after.generation > before.generation) == (1, True)
        assert await values_until(second, 2) == [b"b"]
        with pytest.raises(Refused) as refused:
            await second.ask(m.Commit(topic.topic_id, "g", 0, before.generation, 2), m.Done)
        assert refused.value.name == "fenced"


async def test_members_share_and_hand_over() -> None:
    async with running_server() as server:
        first = await RawClient.connect(server.port)
        second = await RawClient.connect(server.port)
        topic = await first.topic("t", partitions=2)
        await first.subscribe(topic, group="g")
        await first.push(m.Assigned)
        await first.push(m.Assigned)
        await second.subscribe(topic, group="g")
        revoke, _ = await first.push(m.Revoke)
        await first.ask(m.Release(1, revoke.partition, revoke.generation), m.Done)
        assigned, _ = await second.push(m.Assigned)
        assert assigned.partition == revoke.partition
        await second.ask(m.Unsubscribe(1), m.Done)
        back, _ = await first.push(m.Assigned)
        assert back.partition == revoke.partition


async def test_a_deleted_topic_ends_its_readers() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.subscribe(topic)
        await client.push(m.Assigned)
        await client.ask(m.DeleteTopic("t"), m.Done)
        detached, _ = await client.push(m.Detached)
        assert detached.code == 20


async def test_nonsense_is_refused() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for fields in (
            {"start": "sideways"},
            {"start": "offset", "start_value": 99},
            {"group": "../x"},
            {"partitions": [7]},
            {"group": "g", "partitions": [0]},
        ):
            with pytest.raises(Refused):
                await client.subscribe(topic, **fields)
        with pytest.raises(Refused):
            await client.ask(m.Unsubscribe(5), m.Done)
        client.send(m.Credit(5, 1, 1))
        await client.subscribe(topic)


async def test_a_member_that_comes_again_and_again_leaves_nothing_behind() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t", partitions=2)
        for partition in (0, 1):
            await client.publish(topic, b"x", partition=partition)
        (connection,) = server._sessions.by_number.values()
        for number in (1, 2, 3):
            again = m.Subscribe(
                number, topic.topic_id, "g", "earliest", member="w",
                credit_records=10, credit_bytes=1000,
            )  # fmt: skip
            await client.ask(again, m.Done)
            for _ in (0, 1):
                await client.push_of(m.Deliver)
        assert set(connection.hints) == {(3, 0), (3, 1)}
