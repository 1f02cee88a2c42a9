import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

import tapemq
from tapemq.infos import PartitionInfo
from tapemq.streams import lookup
from tapemq.streams.lookup import Reader, records_at
from tapemq.streams.record import Record, Source
from tests.support.running_server import running_server


@pytest.fixture
async def client() -> AsyncIterator[tapemq.Client]:
    """Of a broker with ten records, each of which is its offset."""
    async with (
        running_server() as server,
        await tapemq.connect(f"tapemq://127.0.0.1:{server.port}") as client,
    ):
        for number in range(10):
            await client.publish("t", str(number))
        yield client


@pytest.mark.parametrize("near", [1, 1000], ids=["anew each time", "read on"])
async def test_records_are_found_at_their_offsets(
    client: tapemq.Client, near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "_NEAR_OFFSETS", near)
    found = [
        (offset, record and record.value)
        async for offset, record in records_at(client, "t", 0, [0, 1, 5, 9])
    ]
    assert found == [(0, b"0"), (1, b"1"), (5, b"5"), (9, b"9")]


async def test_what_is_not_there_is_none(client: tapemq.Client) -> None:
    found = [pair async for pair in records_at(client, "t", 0, [9, 10, 5000])]
    assert found[0][1] is not None
    assert found[1:] == [(10, None), (5000, None)]


async def test_nothing_is_read_for_nothing(client: tapemq.Client) -> None:
    assert [pair async for pair in records_at(client, "nowhere", 0, [])] == []


class Silent:
    """A client whose broker hands one record out; ``ends`` are its answers before it is gone."""

    def __init__(self, *ends: int) -> None:
        self._ends = iter(ends)

    async def partition(self, topic: str, partition: int) -> PartitionInfo:
        if (end := next(self._ends, None)) is not None:
            return PartitionInfo(topic, partition, 0, end, end, end, 0, 0, None, None, 0)
        raise tapemq.TimeoutError("no connection")

    @asynccontextmanager
    async def stream(self, topic: str, **_: object) -> AsyncIterator[Any]:
        yield self

    async def __aiter__(self) -> AsyncIterator[Record]:
        yield Record(b"v", b"k", 3, b"", Source("t", 0, 0))
        await asyncio.Event().wait()


async def read_of(client: Silent) -> list[int | None]:
    reader = cast(Reader, client)
    found = records_at(reader, "t", 0, [3, 4])
    return [offset if record else None async for offset, record in found]


async def test_what_is_not_read_because_the_broker_went_is_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lookup, "_WAIT_S", 0)
    with pytest.raises(tapemq.TimeoutError):
        await read_of(Silent(10))
    with pytest.raises(tapemq.TimeoutError):  # it had just come back
        await read_of(Silent(10, 10))
    assert await read_of(Silent(10, 10, 10)) == [3, None]
