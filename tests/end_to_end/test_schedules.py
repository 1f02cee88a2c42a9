"""Schedules over kills of a broker in a process of its own, with its index in a file."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import tapemq
from tests.support.crash.forked_broker import ForkedBroker

COUNT = 300
KILLS = 3


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ForkedBroker]:
    broker = ForkedBroker(tmp_path / "data")
    yield broker
    broker.kill_if_running()


async def values(client: tapemq.Client, count: int) -> list[tapemq.Record]:
    found: list[tapemq.Record] = []
    async with client.stream("t", start="earliest") as stream:
        async for record in stream:
            found.append(record)
            if len(found) == count:
                return found
    raise AssertionError("the stream has ended")


async def test_every_schedule_comes_once_through_kills(broker: ForkedBroker) -> None:
    broker.start()
    async with await tapemq.connect(broker.url) as client:
        await client.create_topic("t")
        begin = datetime.now(UTC) + timedelta(seconds=0.3)
        async with asyncio.TaskGroup() as group:
            made = [
                group.create_task(
                    client.publish(
                        "t", b"%d" % n, at=begin + timedelta(milliseconds=10 * n), timeout=60
                    )
                )
                for n in range(COUNT)
            ]
            for kill in range(KILLS):
                while (await client.partition("t", 0)).next_offset < 50 * kill:
                    pass
                broker.kill()
                broker.start()
        due = {b"%d" % n: task.result().due for n, task in enumerate(made)}
        while await client.schedules("t").count():
            pass
        await client.publish("t", b"end")
        records = await values(client, COUNT + 1)
    assert Counter(record.value for record in records) == Counter([*due, b"end"])
    for record in records[:-1]:
        expected = due[record.value or b""]
        assert expected is None or record.timestamp >= expected


@pytest.mark.parametrize("damage", ["removed", "overwritten"])
async def test_an_index_that_is_lost_is_made_again(
    broker: ForkedBroker, tmp_path: Path, damage: str
) -> None:
    broker.start()
    async with await tapemq.connect(broker.url) as client:
        for number in range(10):
            await client.publish("t", b"%d" % number, delay=3600, schedule_key=f"k{number}")
        await client.schedules("t").cancel(key="k3")
    broker.kill()
    for path in (tmp_path / "data").glob("schedules.index*"):
        if damage == "removed":
            path.unlink()
        else:
            path.write_bytes(b"\0" * path.stat().st_size)
    broker.start()
    async with await tapemq.connect(broker.url) as client:
        found = [schedule.schedule_key async for schedule in client.schedules("t").list()]
    assert found == [b"k%d" % number for number in range(10) if number != 3]
    assert broker.stop() == 0
