from collections.abc import AsyncIterator

import pytest

import tapemq
from tapemq.streams import lookup
from tapemq.streams.lookup import records_at
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
