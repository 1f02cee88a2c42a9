from datetime import UTC, datetime

import pytest

import tapemq
from tapemq.wire import messages as m
from tests.support.fake_broker import Reaction
from tests.support.queueing import World

pytestmark = pytest.mark.both_loops


def die(world: World, *offsets: int, partition: int = 0, reason: str = "attempts") -> None:
    for offset in offsets:
        world.group.dead[partition, offset] = {
            "reason": reason,
            "error": "KeyError: 'total'",
            "failures": 3,
            "crashes": 2,
            "replays": 1,
            "died_us": 1_000_000,
            "first_failure_us": 500_000,
        }


@pytest.fixture
async def grouped(world: World) -> World:
    """A world with a queue group on two partitions."""
    world.topic.grow(2)
    async with world.queue(max_attempts=5):
        pass
    return world


async def test_queue_is_described(grouped: World) -> None:
    die(grouped, 1, 2, partition=1)
    info = await grouped.client.describe_queue("t", "g")
    assert (info.topic, info.group, info.settings) == ("t", "g", {"max_attempts": 5})
    assert (info.consumers, info.ready, info.leased, info.retrying, info.dead) == (8, 6, 8, 10, 2)
    first, second = info.partitions
    assert (first.partition, second.partition) == (0, 1)
    assert (first.visible_offset, second.visible_offset) == (10, 0)
    assert first[1:3] == (1, 2)
    assert first[4:8] == (3, 4, 5, 0)
    assert first[8:10] == (7, 9)
    assert first[11:] == (11, 12, 13, 14, 15, 16)
    assert first.oldest_unsettled == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


async def test_settings_are_altered(grouped: World) -> None:
    await grouped.client.alter_queue("t", "g", paused=True, retry=[1, 2])
    assert grouped.group.settings == {
        "max_attempts": 5,
        "paused": True,
        "retry_delays_ms": "1000,2000",
    }
    with pytest.raises(ValueError, match="max_attempts"):
        await grouped.client.alter_queue("t", "g", max_attempts=-1)


async def test_explanation(grouped: World) -> None:
    explanation = await grouped.client.explain("t", "g")
    assert explanation == tapemq.Explanation("caught_up", ["every record is settled"])


async def test_unknown_group_is_told(grouped: World) -> None:
    for call in (grouped.client.describe_queue, grouped.client.explain, grouped.client.dead):
        with pytest.raises(tapemq.GroupNotFound):
            await call("t", "other")


async def test_dead_records_come_in_pages(grouped: World) -> None:
    grouped.broker.dead_page = 2
    die(grouped, 9, 1, 5)
    die(grouped, 3, 4, partition=1, reason="rejected")
    found = await grouped.client.dead("t", "g")
    assert [(record.partition, record.offset) for record in found] == [
        (0, 1), (0, 5), (0, 9), (1, 3), (1, 4),
    ]  # fmt: skip
    died_at = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert found[0] == tapemq.DeadRecord(
        *(0, 1, "attempts", "KeyError: 'total'", 3, 2, 1, died_at),
        first_failed_at=datetime(1970, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
    )


async def test_some_dead_records_are_listed(grouped: World) -> None:
    grouped.broker.dead_page = 2
    die(grouped, 9, 1, 5)
    die(grouped, 3, 4, partition=1, reason="rejected")
    dead = grouped.client.dead
    assert [one.offset for one in await dead("t", "g", reason="rejected")] == [3, 4]
    assert [one.offset for one in await dead("t", "g", partition=0)] == [1, 5, 9]
    assert [one.offset for one in await dead("t", "g", limit=4)] == [1, 5, 9, 3]
    assert await dead("t", "g", limit=0) == []


@pytest.mark.parametrize("verb", ["redrive", "discard"])
async def test_dead_records_are_chosen(grouped: World, verb: str) -> None:
    act = getattr(grouped.client, verb)
    die(grouped, *range(6))
    die(grouped, 7, 8, reason="rejected")
    die(grouped, 3, 4, partition=1, reason="rejected")
    assert await act("t", "g", everything=True, dry_run=True) == 10
    assert await act("t", "g", offsets=[1, 2, 5, 5, 99], partition=0) == 3
    assert await act("t", "g", reason="rejected", partition=0) == 2
    assert sorted(grouped.group.dead) == [(0, 0), (0, 3), (0, 4), (1, 3), (1, 4)]
    assert await act("t", "g", everything=True) == 5
    assert not grouped.group.dead


async def test_many_offsets_take_many_requests_that_share_the_rate(grouped: World) -> None:
    die(grouped, *range(1000))
    scattered = range(0, 1000, 2)
    assert await grouped.client.redrive("t", "g", offsets=scattered, partition=0, rate=100) == 500
    assert [request.rate_per_s for request in grouped.broker.of(m.Redrive)] == [50, 50]


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({}, "just one"),
        ({"offsets": [1], "everything": True, "partition": 0}, "just one"),
        ({"offsets": [1]}, "2 partitions"),
        ({"everything": True, "rate": 0}, "rate"),
    ],
    ids=str,
)
async def test_unclear_choices_are_refused(
    grouped: World, choice: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        await grouped.client.redrive("t", "g", **choice)  # type: ignore[arg-type]
    assert not grouped.broker.of(m.Redrive)


async def test_redrive_is_not_repeated_by_itself(grouped: World) -> None:
    die(grouped, 1)
    grouped.broker.react(m.Redrive, Reaction.LOSE)
    with pytest.raises(tapemq.IndeterminateError):
        await grouped.client.redrive("t", "g", everything=True, partition=0)
    die(grouped, 1)
    grouped.broker.react(m.Redrive, Reaction.LOSE)
    assert await grouped.client.redrive("t", "g", everything=True, partition=0, dry_run=True) == 1
