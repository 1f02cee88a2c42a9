"""Partitions that are full: who is refused, what is dropped, and what never is."""

from typing import Any

import pytest

from tapemq.batch import HEADER_BYTES
from tapemq_broker.core import effects as e
from tapemq_broker.core.length import RETRY_AFTER_S, LengthLimit, droppable
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.sizes import Sizes
from tests.support.bodies import body
from tests.support.core.queueing import GROUP, consume, info, queue_world, send, settle
from tests.support.core.reading import data_log, subscribe, wish
from tests.support.core.unwalked import Unwalked
from tests.support.core.world import World


def limited(**settings: Any) -> World:
    world = queue_world()
    world.execute(0, lambda r: world.core.topics.alter(r, "orders", 0, settings))
    world.sync()
    return world


def publish(world: World, *values: bytes) -> Refusal | None:
    """None if it was taken."""
    request = world.publish(data_log(), *values)
    world.sync()
    answer = world.answer(request)
    return answer if isinstance(answer, Refusal) else None


def fill(world: World) -> int:
    """Publish one by one until it is full; how many were taken."""
    for taken in range(100):
        if publish(world, b"x"):
            return taken
    return 100


def first_offset(world: World) -> int:
    return world.core.topics.named("orders").partitions[0].first_offset


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({}, None),
        ({"max_records": 0, "overflow": "drop_oldest"}, None),
        ({"max_bytes": 0}, None),
        ({"max_records": 5}, LengthLimit(5, 0, False)),
        ({"max_bytes": 5}, LengthLimit(0, 5, False)),
        ({"max_records": 5, "overflow": "refuse"}, LengthLimit(5, 0, False)),
        ({"max_records": 5, "max_bytes": 6, "overflow": "drop_oldest"}, LengthLimit(5, 6, True)),
    ],
)
def test_limits(settings: dict[str, Any], limit: LengthLimit | None) -> None:
    assert LengthLimit.of(settings) == limit


def test_without_groups_the_log_counts() -> None:
    world = limited(max_records=3)
    assert fill(world) == 3


@pytest.mark.parametrize("overflow", ["refuse", "drop_oldest"])
def test_what_a_queue_holds_counts_until_it_is_settled(overflow: str) -> None:
    world = limited(max_records=3, overflow=overflow)
    consume(world)
    assert fill(world) == 3
    refusal = publish(world, b"x")
    assert refusal is not None
    assert (refusal.name, refusal.retry_after_s) == ("overloaded", RETRY_AFTER_S)
    assert "3 records are not settled by group 'billing', max_records is 3" in refusal.text
    lease = send(world)
    settle(world, Verb.ACK, (lease.lease_id, 0, 1))
    world.sync()
    assert fill(world) == 1
    settled_and_beyond_the_newest = 1 if overflow == "drop_oldest" else 0
    assert (first_offset(world), info(world).gone) == (settled_and_beyond_the_newest, 0)


def test_dead_records_have_left_the_queue() -> None:
    world = limited(max_records=3)
    consume(world)
    assert fill(world) == 3
    while world.leasing:
        lease = send(world)
        settle(world, Verb.REJECT, *[(lease.lease_id, a, b - a) for a, b in lease.runs])
    world.sync()
    assert info(world).dead == 3
    assert fill(world) == 3


def test_records_that_are_not_on_disk_yet_count() -> None:
    world = limited(max_records=3)
    consume(world)
    requests = [world.publish(data_log(), b"x") for _ in range(5)]
    world.sync()
    refused = [isinstance(world.answer(request), Refusal) for request in requests]
    assert refused == [False, False, False, True, True]


def test_a_batch_is_taken_or_refused_as_a_whole() -> None:
    world = limited(max_records=3)
    assert publish(world, b"x", b"x") is None
    assert publish(world, b"x", b"x", b"x") is None
    assert publish(world, b"x") is not None


def test_only_the_newest_stay_where_nothing_is_held() -> None:
    world = limited(max_records=3, overflow="drop_oldest")
    consume(world, hold=False, records=2)
    for _ in range(10):
        assert publish(world, b"x") is None
    partition = world.core.topics.named("orders").partitions[0]
    assert (first_offset(world), partition.dropped, world.core.records_dropped) == (7, 7, 7)
    found = info(world)
    assert (found.gone, found.ack_floor, found.ready + found.leased) == (7, 7, 3)
    [explanation] = world.core.queues.explain(e.Request(1, 1), 1, GROUP, 0)
    assert isinstance(explanation, e.Reply)
    assert "7 were dropped" in str(explanation.result)


def test_what_was_dropped_stays_so_after_a_start_and_is_not_counted_again() -> None:
    world = limited(max_records=3, overflow="drop_oldest")
    for _ in range(10):
        publish(world, b"x")
    world.start()
    assert first_offset(world) == 7
    publish(world, b"x")
    assert (first_offset(world), world.core.records_dropped) == (8, 1)


def test_what_was_dropped_stays_so_after_a_start_when_a_group_has_come_to_hold_the_rest() -> None:
    world = limited(max_records=3, overflow="drop_oldest")
    publish(world, *[b"x"] * 10)  # files go as a whole
    consume(world)
    world.sync()
    world.start()
    assert first_offset(world) == 7
    assert info(world).ready == 3


def test_what_was_dropped_stays_so_when_a_stream_group_gets_hold_later() -> None:
    world = limited(max_records=3, overflow="drop_oldest")
    subscribe(world, wish(1, group="audit"))
    publish(world, *[b"x"] * 10)
    groups = world.core.groups
    world.execute(1, lambda request: groups.alter(request, 1, "audit", hold=True))
    world.sync()
    world.start()
    assert first_offset(world) == 7


def test_a_retry_of_what_is_there_is_answered_however_full_it_is() -> None:
    world = limited(max_records=1)
    publish_numbered = world.publish(data_log(), b"x", producer=7)
    world.sync()
    assert fill(world) == 0
    again = world.publish(data_log(), b"x", producer=7)
    world.sync()
    first, second = world.answer(publish_numbered), world.answer(again)
    assert not isinstance(second, Refusal)
    assert (first.base_offset, second.base_offset) == (0, 0)  # type: ignore[union-attr]


def test_what_a_stream_group_holds_counts_until_it_is_read() -> None:
    world = limited(max_records=3, overflow="drop_oldest")
    subscribe(world, wish(1, group="audit", hold=True))
    world.sync()
    assert fill(world) == 3
    refusal = publish(world, b"x")
    assert refusal is not None
    assert "3 records are not read by group 'audit'" in refusal.text
    assert first_offset(world) == 0


def test_what_is_not_on_disk_yet_replaces_nothing() -> None:
    world = limited(max_records=3, overflow="drop_oldest")
    world.publish(data_log(), *[b"x"] * 10)
    world.core.durable_upto(data_log(), 4)
    assert first_offset(world) == 1


BATCH = HEADER_BYTES + len(body(b"x"))
"""What one small record takes."""


@pytest.mark.parametrize("overflow", ["refuse", "drop_oldest"])
def test_bytes_that_a_queue_holds_count_until_they_are_settled(overflow: str) -> None:
    world = limited(max_bytes=3 * BATCH - 5, overflow=overflow)
    consume(world)
    assert fill(world) == 3
    refusal = publish(world, b"x")
    assert refusal is not None
    assert f"{3 * BATCH} bytes are not settled by group 'billing'" in refusal.text
    assert f"max_bytes is {3 * BATCH - 5}; settle some, or raise the limit" in refusal.text
    lease = send(world)
    settle(world, Verb.ACK, (lease.lease_id, 0, 1))
    world.sync()
    assert fill(world) == 1
    settled_and_beyond_the_newest = 1 if overflow == "drop_oldest" else 0
    assert (first_offset(world), info(world).gone) == (settled_and_beyond_the_newest, 0)


def test_what_waits_alone_does_not_make_all_behind_it_count() -> None:
    world = limited(max_bytes=4 * BATCH)
    consume(world)
    assert fill(world) == 4
    while world.leasing:
        lease = send(world)
        settle(world, Verb.ACK, *[(lease.lease_id, a, b - a) for a, b in lease.runs if a > 0])
    world.sync()
    assert fill(world) == 3


def test_bytes_that_are_not_on_disk_yet_count_too() -> None:
    world = limited(max_bytes=3 * BATCH)
    consume(world)
    requests = [world.publish(data_log(), b"x") for _ in range(5)]
    world.sync()
    refused = [isinstance(world.answer(request), Refusal) for request in requests]
    assert refused == [False, False, False, True, True]


def test_what_a_full_disk_refused_does_not_count() -> None:
    world = limited(max_bytes=3 * BATCH)
    world.disk_full = True
    assert [isinstance(publish(world, b"x"), Refusal) for _ in range(5)] == [True] * 5
    world.disk_full = False
    assert fill(world) == 3


def test_bytes_that_a_stream_group_has_not_read_count() -> None:
    world = limited(max_bytes=3 * BATCH)
    publish(world, b"x")
    subscribe(world, wish(1, group="audit", hold=True, start="latest"))
    world.sync()
    assert fill(world) == 3


def test_the_newest_bytes_stay_where_nothing_is_held() -> None:
    world = limited(max_bytes=3 * BATCH + 5, overflow="drop_oldest")
    consume(world, hold=False, records=2)
    for _ in range(10):
        assert publish(world, b"x") is None
    partition = world.core.topics.named("orders").partitions[0]
    assert (first_offset(world), partition.dropped, info(world).gone) == (7, 7, 7)
    assert publish(world, b"x" * 1000) is None
    assert first_offset(world) == 10
    world.start()
    assert first_offset(world) == 10


def test_the_stricter_of_two_limits_drops() -> None:
    world = limited(max_bytes=3 * BATCH, max_records=2, overflow="drop_oldest")
    for _ in range(10):
        publish(world, b"x")
    assert first_offset(world) == 8


def test_either_of_two_limits_makes_full() -> None:
    world = limited(max_bytes=3 * BATCH, max_records=5)
    assert fill(world) == 3
    refusal = publish(world, b"x")
    assert refusal is not None
    assert "let a group with hold read it, or retention remove some" in refusal.text
    world.execute(0, lambda r: world.core.topics.alter(r, "orders", 0, {"max_bytes": 0}))
    world.sync()
    assert fill(world) == 2


def test_of_many_groups_with_room_only_who_has_most_before_it_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = limited(max_bytes=100 * BATCH)
    for number in range(20):
        consume(world, number, group=f"queue-{number}")
        subscribe(world, wish(100 + number, group=f"stream-{number}", hold=True))
    world.sync()
    asked: list[int] = []
    bytes_from = Sizes.bytes_from

    def measured(sizes: Sizes, offset: int) -> int:
        asked.append(offset)
        return bytes_from(sizes, offset)

    monkeypatch.setattr(Sizes, "bytes_from", measured)
    assert publish(world, b"x") is None
    assert len(asked) == 1


def test_a_group_with_room_hides_none_that_has_none() -> None:
    world = limited(max_records=4)
    consume(world)
    assert publish(world, *[b"x"] * 3) is None
    lease = send(world)
    settle(world, Verb.ACK, (lease.lease_id, 1, 2))  # the first one is left
    world.sync()
    subscribe(world, wish(2, group="ahead", hold=True, start="latest"))
    subscribe(world, wish(3, group="behind", hold=True, start="offset", value=1))
    world.sync()
    assert fill(world) == 2
    refusal = publish(world, b"x")
    assert refusal is not None
    assert "4 records are not read by group 'behind'" in refusal.text


def test_groups_are_not_asked_where_nothing_could_be_dropped() -> None:
    world = limited(max_records=3, overflow="drop_oldest")
    publish(world, *[b"x"] * 3)
    topic = world.core.topics.named("orders")
    topic.groups = Unwalked()
    assert droppable(topic, topic.partitions[0]) == 0
