import asyncio
from collections.abc import AsyncIterator

import pytest

import tapemq
from tapemq_broker.cli import queue_reading
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.queue_reading import QueueReading, QueueWish
from tests.support.running_server import running_server


@pytest.fixture
async def client() -> AsyncIterator[tapemq.Client]:
    """Of a broker with the records a, b, c."""
    async with (
        running_server() as server,
        await tapemq.connect(f"tapemq://127.0.0.1:{server.port}") as client,
    ):
        for value in "abc":
            await client.publish("t", value)
        yield client


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_reading, "_LOOK_EVERY_S", 0.01)


async def read(
    client: tapemq.Client, records_max: int | None = None, follow: bool = False, ack: bool = True
) -> list[bytes | None]:
    seen: list[bytes | None] = []
    wish = QueueWish("t", "g", "earliest", records_max, follow, ack)

    async def take(record: tapemq.Record) -> None:
        seen.append(record.value)

    async def flush() -> None:
        pass

    await QueueReading(client, wish, take, flush).run()
    return seen


async def unsettled(client: tapemq.Client) -> int:
    return (await client.group("t", "g")).lag


async def test_it_ends_when_nothing_is_ready(client: tapemq.Client) -> None:
    assert await read(client) == [b"a", b"b", b"c"]
    assert await unsettled(client) == 0
    assert await read(client) == []


async def test_it_takes_and_acks_so_many(client: tapemq.Client) -> None:
    assert await read(client, records_max=2, follow=True) == [b"a", b"b"]
    assert await unsettled(client) == 1
    assert await read(client, records_max=1) == [b"c"]


async def test_without_acks_all_is_given_back(client: tapemq.Client) -> None:
    assert await read(client, ack=False) == [b"a", b"b", b"c"]
    assert await read(client, ack=False, records_max=1) == [b"a"]
    assert await unsettled(client) == 3


async def test_without_acks_there_is_an_end(
    client: tapemq.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_reading, "KEPT_MAX", 2)
    assert await read(client, ack=False, follow=True) == [b"a", b"b"]


async def test_nothing_is_acked_that_was_not_written(client: tapemq.Client) -> None:
    async def take(record: tapemq.Record) -> None:
        pass

    async def flush() -> None:
        raise BrokenPipeError

    wish = QueueWish("t", "g", "earliest", None, True, True)
    with pytest.raises(BrokenPipeError):
        await QueueReading(client, wish, take, flush).run()
    assert await unsettled(client) == 3


async def test_a_group_that_is_paused_is_not_waited_for(client: tapemq.Client) -> None:
    assert await read(client, records_max=1) == [b"a"]
    await client.alter_queue("t", "g", paused=True)
    with pytest.raises(CommandError, match="group g of topic t is stuck"):
        await read(client)


async def test_what_waits_behind_records_that_are_kept_is_not_waited_for(
    client: tapemq.Client,
) -> None:
    for value in ("k1", "k2"):
        await client.publish("t", value, key="k")
    async with client.queue("t", group="g", start="earliest", key_lanes=True):
        pass
    assert await read(client, ack=False) == [b"a", b"b", b"c", b"k1"]
    assert await read(client) == [b"a", b"b", b"c", b"k1", b"k2"]


async def test_following_waits_for_more(client: tapemq.Client) -> None:
    reading = asyncio.create_task(read(client, records_max=4, follow=True))
    while await unsettled_if_any(client):
        """It takes what there is."""
    await client.publish("t", "d")
    assert await reading == [b"a", b"b", b"c", b"d"]


async def unsettled_if_any(client: tapemq.Client) -> bool:
    return "g" not in await client.groups("t") or await unsettled(client) > 0
