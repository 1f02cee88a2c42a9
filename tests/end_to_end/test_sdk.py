"""The SDK and the broker, in one process, over a socket."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import tapemq
from tapemq_broker.config import Settings
from tapemq_broker.server.server import Server
from tapemq_broker.server.world import World

pytestmark = pytest.mark.both_loops


class Broker:
    """A broker on files that can be stopped and started again on the same port."""

    def __init__(self, data_dir: Path, **settings: float) -> None:
        self._data_dir = data_dir
        self._settings = Settings(data_dir=data_dir, **settings)  # type: ignore[arg-type]
        self._server: Server | None = None
        self.port = 0

    async def start(self) -> None:
        self._server = Server(self._settings, World.real(self._data_dir))
        await self._server.start("127.0.0.1", self.port)
        self.port = self._server.port

    async def stop(self) -> None:
        assert self._server is not None
        await self._server.stop()

    async def connect(self) -> tapemq.Client:
        return await tapemq.connect(f"tapemq://127.0.0.1:{self.port}")


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    broker = Broker(tmp_path / "data")
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def client(broker: Broker) -> AsyncIterator[tapemq.Client]:
    async with await broker.connect() as client:
        yield client


async def read(stream: tapemq.Stream, count: int) -> list[tapemq.Record]:
    records: list[tapemq.Record] = []
    async for record in stream:
        records.append(record)
        if len(records) == count:
            break
    return records


def numbers(records: list[tapemq.Record]) -> list[int]:
    return [int(record.value or b"-1") for record in records]


async def produce(client: tapemq.Client, first: int, count: int, topic: str = "t") -> None:
    async with client.producer(topic) as producer:
        for number in range(first, first + count):
            await producer.send(b"%d" % number)


async def test_first_screen(client: tapemq.Client) -> None:
    receipt = await client.publish("orders", b"one", key="eu.42", headers={"k": "v"})
    assert (receipt.offset, receipt.partition, receipt.duplicate) == (0, 0, False)
    assert receipt.durability == "durable"

    async with client.producer("orders") as producer:
        for row in (b"two", b"three"):
            await producer.send(row)

    async with client.stream("orders", group="analytics", start="earliest") as stream:
        records = await read(stream, 3)
    assert [record.value for record in records] == [b"one", b"two", b"three"]
    first = records[0]
    assert (first.key, first.headers, first.partition) == (b"eu.42", {"k": "v"}, 0)
    assert first.timestamp <= records[1].timestamp
    assert receipt.timestamp is not None
    assert abs((first.timestamp - receipt.timestamp).total_seconds()) < 60


async def test_many_records_of_all_kinds(client: tapemq.Client) -> None:
    await client.create_topic("t", partitions=3)
    async with client.producer("t", compression="zlib") as producer:
        for number in range(5000):
            value = None if number % 7 == 0 else b"%d" % number
            headers = {"n": number} if number % 5 == 0 else None
            await producer.send(value, key=f"k{number % 10}", headers=headers)
    async with client.stream("t", start="earliest") as stream:
        records = await read(stream, 5000)
    by_key: dict[str | None, list[int]] = {}
    for record in records:
        if record.value is not None:
            by_key.setdefault(record.key_text, []).append(int(record.value))
            assert record.headers in ({}, {"n": int(record.value)})
    assert set(by_key) == {f"k{number}" for number in range(10)}
    assert all(seen == sorted(seen) for seen in by_key.values())
    assert sum(map(len, by_key.values())) == sum(number % 7 != 0 for number in range(5000))


async def test_publishing_and_reading_go_on_after_a_restart(
    broker: Broker, client: tapemq.Client
) -> None:
    async with client.stream("t", group="g", start="earliest") as stream:
        await produce(client, 0, 1000)
        assert numbers(await read(stream, 600)) == list(range(600))
        producing = asyncio.ensure_future(produce(client, 1000, 1000))
        await broker.stop()
        await broker.start()
        assert numbers(await read(stream, 1400)) == list(range(600, 2000))
        await producing
    assert (await client.group("t", "g")).lag == 0
    async with client.stream("t", start="earliest") as stream:
        assert numbers(await read(stream, 2000)) == list(range(2000))


async def owners(client: tapemq.Client) -> set[str]:
    return {partition.member for partition in (await client.group("t", "g")).partitions} - {""}


async def test_members_share_the_partitions_and_take_over(
    broker: Broker, client: tapemq.Client
) -> None:
    await client.create_topic("t", partitions=2)
    for partition in (0, 1):
        for number in range(3):
            await client.publish("t", b"%d" % number, partition=partition)
    seen: list[tuple[int, int]] = []
    async with client.stream("t", group="g", start="earliest") as first:
        seen += [(r.partition, r.offset) for r in await read(first, 6)]
        async with await broker.connect() as other_client:
            joining = other_client.stream("t", group="g")
            async with joining as second:
                reading = asyncio.ensure_future(read(second, 1))
                waiting = asyncio.ensure_future(read(first, 1))
                while len(await owners(client)) < 2:
                    pass  # the first one gives a partition up meanwhile
                for partition in (0, 1):
                    await client.publish("t", b"3", partition=partition)
                for record in (*await reading, *await waiting):
                    seen.append((record.partition, record.offset))
        for partition in (0, 1):
            await client.publish("t", b"4", partition=partition)
        seen += [(r.partition, r.offset) for r in await read(first, 2)]
    assert sorted(seen) == [(partition, n) for partition in (0, 1) for n in range(5)]


async def test_group_is_sought_and_lag_told(client: tapemq.Client) -> None:
    await produce(client, 0, 100)
    async with client.stream("t", group="g", start="earliest") as stream:
        await read(stream, 10)
        assert await stream.lag() == 90
        await stream.seek(50)
        assert numbers(await read(stream, 2)) == [50, 51]
    assert (await client.group("t", "g")).lag == 48
    await client.seek_group("t", "g", "earliest")
    async with client.stream("t", group="g") as stream:
        assert numbers(await read(stream, 1)) == [0]
    with pytest.raises(tapemq.OffsetOutOfRange):
        await client.seek_group("t", "g", 101)


async def test_reading_starts_at_a_time(client: tapemq.Client) -> None:
    await client.publish("t", b"0")
    second = await client.publish("t", b"1")
    assert second.timestamp is not None
    async with client.stream("t", start=second.timestamp) as stream:
        (record,) = await read(stream, 1)
    assert record.timestamp >= second.timestamp


async def test_deleted_topic_ends_its_streams(client: tapemq.Client) -> None:
    await client.publish("t", b"0")
    async with client.stream("t", group="g", start="earliest", commit_interval=None) as stream:
        await read(stream, 1)
        await client.delete_topic("t")
        with pytest.raises(tapemq.TopicNotFound):
            await read(stream, 1)
    receipt = await client.publish("t", b"1")
    assert receipt.offset == 0


async def test_errors_have_their_classes(client: tapemq.Client) -> None:
    await client.create_topic("t")
    with pytest.raises(tapemq.TopicExists):
        await client.create_topic("t")
    with pytest.raises(tapemq.TopicNotFound):
        await client.topic("other")
    with pytest.raises(tapemq.PartitionNotFound):
        await client.publish("t", b"", partition=7)
    with pytest.raises(tapemq.PayloadTooLarge):
        await client.publish("t", b"x" * (1024 * 1024 + 1))
    with pytest.raises(tapemq.GroupNotFound):
        await client.group("t", "nobody")
    with pytest.raises(tapemq.RequestRefused, match="colour"):
        await client.alter_topic("t", colour="red")
    async with client.stream("t", group="g"):
        with pytest.raises(tapemq.GroupBusy):
            await client.delete_group("t", "g")
    await client.delete_group("t", "g")


async def test_largest_record_passes(client: tapemq.Client) -> None:
    value = bytes(1024 * 1024)
    await client.publish("t", value)
    async with client.producer("t") as producer:
        for _ in range(3):
            await producer.send(value)
    async with client.stream("t", start="earliest", prefetch_bytes=1) as stream:
        assert [len(record.value or b"") for record in await read(stream, 4)] == [len(value)] * 4
