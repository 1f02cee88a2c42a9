from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import typer

import tapemq
from tapemq_broker.cli.dead_records import DeadRecords, Selection, dead_row, history
from tapemq_broker.cli.place import Place
from tests.support.running_server import running_server

ENTRY = tapemq.DeadRecord(
    *(1, 7, "bad_data", "KeyError: 'x'", 2, 1, 4, datetime(2026, 1, 31, tzinfo=UTC)),
    last_failed_at=datetime(2026, 1, 30, tzinfo=UTC),
)


@pytest.fixture
async def dead() -> AsyncIterator[DeadRecords]:
    """Two partitions of three records with the keys 0, 1, 0, all of them dead."""
    async with (
        running_server() as server,
        await tapemq.connect(f"tapemq://127.0.0.1:{server.port}") as client,
    ):
        await client.create_topic("t", 2)
        for number in range(6):
            await client.publish("t", "v", key=str(number // 2 % 2), partition=number % 2)
        async with client.queue("t", group="g") as queue:
            for _ in range(6):
                message = await anext(aiter(queue))
                await message.reject(reason=f"r{message.offset}", confirm=True)
        yield DeadRecords(client, "t", "g")


def selection(
    *places: Place, everything: bool = False, reason: str | None = None, key: str | None = None
) -> Selection:
    return Selection(everything, places, reason, key)


@pytest.mark.parametrize(
    "unclear",
    [
        selection(),
        selection(Place(0, 1), everything=True),
        selection(everything=True, reason="r"),
        selection(Place(0, 1), key="k"),
    ],
)
def test_it_has_to_be_clear_which_are_meant(unclear: Selection) -> None:
    with pytest.raises(typer.BadParameter, match="just one of"):
        unclear.check()


def test_a_reason_and_a_key_may_be_given_together() -> None:
    selection(reason="r", key="").check()


async def test_what_is_selected_becomes_arguments(dead: DeadRecords) -> None:
    assert await dead.choices(selection(everything=True)) == [{"everything": True}]
    assert await dead.choices(selection(reason="r1")) == [{"reason": "r1"}]
    places = selection(Place(1, 5), Place(0, 2), Place(1, 3))
    assert await dead.choices(places) == [
        {"partition": 0, "offsets": [2]},
        {"partition": 1, "offsets": [3, 5]},
    ]


async def test_a_key_is_looked_up_in_the_records(dead: DeadRecords) -> None:
    assert await dead.choices(selection(key="0")) == [
        {"partition": 0, "offsets": [0, 2]},
        {"partition": 1, "offsets": [0, 2]},
    ]
    assert await dead.choices(selection(key="0", reason="r2")) == [
        {"partition": 0, "offsets": [2]},
        {"partition": 1, "offsets": [2]},
    ]
    assert await dead.choices(selection(key="none")) == []


async def test_they_are_listed_with_their_records(dead: DeadRecords) -> None:
    listed = [(entry.reason, record and record.key) async for entry, record in dead.listed()]
    assert listed == [("r0", b"0"), ("r1", b"1"), ("r2", b"0")] * 2
    assert len([pair async for pair in dead.listed(limit=4)]) == 4
    assert len([pair async for pair in dead.listed(limit=3, key="0", partition=1)]) == 2


async def test_one_is_found_by_its_place(dead: DeadRecords) -> None:
    found = await dead.one(Place(1, 2))
    assert found is not None
    entry, record = found
    assert record is not None
    assert (entry.partition, entry.offset, entry.reason, record.key) == (1, 2, "r2", b"0")
    assert await dead.one(Place(1, 3)) is None


def test_a_record_that_is_gone_has_no_key() -> None:
    row = dead_row(ENTRY, None)
    assert (row["place"], row["attempts"], row["key"]) == ("1:7", 3, None)


def test_the_history_is_all_that_is_known() -> None:
    assert history(ENTRY) == {
        "reason": "bad_data",
        "error": "KeyError: 'x'",
        "failures": 2,
        "crashes": 1,
        "redriven": 4,
        "first_failed_at": None,
        "last_failed_at": ENTRY.last_failed_at,
        "died_at": ENTRY.died_at,
    }
