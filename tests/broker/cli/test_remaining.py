from datetime import UTC, datetime
from typing import NamedTuple

import pytest

import tapemq
from tapemq_broker.cli.remaining import Remaining

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


class Place(NamedTuple):
    """A group's place in a partition."""

    partition: int
    cursor: int


class Part(NamedTuple):
    """A partition's offsets."""

    partition: int
    first_offset: int
    visible_offset: int
    next_offset: int
    time_offset: int | None = None


class FakeClient:
    """Answers admin calls from two partitions, with offsets 10 to 20 and 0 to 5."""

    def __init__(self) -> None:
        self.parts = [Part(0, 10, 20, 20), Part(1, 0, 5, 6)]
        self.cursors: tuple[Place, ...] | None = None

    async def partitions(self, topic: str) -> list[Part]:
        return self.parts

    async def partition(self, topic: str, partition: int, *, at: tapemq.Start) -> Part:
        assert at == MOMENT
        return self.parts[partition]._replace(time_offset=(15, None)[partition])

    async def groups(self, topic: str) -> list[str]:
        return [] if self.cursors is None else ["g"]

    async def group(self, topic: str, name: str) -> object:
        class Group(NamedTuple):
            partitions: tuple[Place, ...]
            kind: str = "stream"

        return Group(self.cursors or ())


async def begin(
    start: tapemq.Start, partition: int | None = None, client: FakeClient | None = None
) -> tuple[Remaining, FakeClient]:
    fake = client or FakeClient()
    remaining = Remaining(fake, "orders", "g")  # type: ignore[arg-type]
    await remaining.begin(start, partition)
    return remaining, fake


@pytest.mark.parametrize(
    ("start", "left"),
    [
        ("earliest", {0, 1}),
        ("latest", set()),
        (3, {0, 1}),
        (5, {0}),
        (20, set()),
        (MOMENT, {0}),
    ],
)
async def test_what_is_left_depends_on_the_start(start: tapemq.Start, left: set[int]) -> None:
    remaining, _ = await begin(start)
    for partition, end in ((0, 20), (1, 5)):
        assert remaining.done == (not left)
        if partition in left:
            remaining.reached(partition, end - 1)
            assert not remaining.done
            remaining.reached(partition, end)
            left = left - {partition}
    assert remaining.done


async def test_one_partition_can_be_enough() -> None:
    remaining, _ = await begin("earliest", partition=1)
    remaining.reached(1, 5)
    assert remaining.done


async def test_where_the_topic_ends_later_does_not_matter() -> None:
    remaining, client = await begin("earliest", partition=1)
    client.parts[1] = Part(1, 0, 500, 500)
    await remaining.look()
    remaining.reached(1, 5)
    assert remaining.done


async def test_what_retention_removed_will_not_come() -> None:
    remaining, client = await begin("earliest", partition=1)
    client.parts[1] = Part(1, 5, 8, 8)
    await remaining.look()
    assert remaining.done


async def test_what_others_of_the_group_have_read_will_not_come() -> None:
    client = FakeClient()
    client.cursors = (Place(0, 20), Place(1, 4))
    remaining, _ = await begin("earliest", client=client)
    assert not remaining.done
    client.cursors = (Place(0, 20), Place(1, 5))
    await remaining.look()
    assert remaining.done


async def test_a_partition_that_nobody_waits_for_is_passed_over() -> None:
    remaining, _ = await begin("earliest", partition=1)
    remaining.reached(0, 20)
    assert not remaining.done


@pytest.mark.parametrize("start", ["latest", 20, MOMENT])
async def test_a_group_that_is_there_goes_on_where_it_was(start: tapemq.Start) -> None:
    client = FakeClient()
    client.cursors = (Place(0, 12), Place(1, 5))
    remaining, _ = await begin(start, client=client)
    assert not remaining.done
    remaining.reached(0, 20)
    assert remaining.done
