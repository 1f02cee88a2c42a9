import msgpack
import pytest

from tapemq_broker.core.schedules.entries import Cancelled, Fired, Firing, Moved, Scheduled, Shot
from tapemq_broker.core.schedules.recent import Placed
from tapemq_broker.core.schedules.schedule import Move as CoreMove
from tapemq_broker.core.schedules.schedule import Recurrence, Schedule
from tapemq_broker.server.schedules.rows import firing_of, operations, row_of, schedule_of
from tapemq_broker.storage.schedules.index import (
    BeginFiring,
    EndFiring,
    IndexDamaged,
    Move,
    Put,
    Remove,
)

CRON = Schedule(5, 99, 3, b"key", b"record", 7, Recurrence("* * * * *", "Asia/Tokyo", 0, "all"), 2)
ONCE = Schedule(1, 99, 3, b"", b"record", 7)


def test_a_schedule_is_the_same_when_it_comes_out_of_a_row() -> None:
    assert schedule_of(row_of(CRON, 4)) == CRON
    assert schedule_of(row_of(ONCE, 4)) == ONCE


def test_a_replacement_takes_the_other_one_away() -> None:
    placed = [Placed(4, Scheduled(CRON, replaces=1)), Placed(5, Cancelled(9))]
    assert list(operations(placed)) == [Remove(1), Put(row_of(CRON, 4)), Remove(9)]


def test_a_firing_is_noted_until_it_has_fired() -> None:
    firing = Firing(3, 1, 2, (Shot(1, 99), Shot(5, 98)))
    (begun,) = operations([Placed(7, firing)])
    assert isinstance(begun, BeginFiring)
    assert (begun.partition, begun.position) == (3, 7)
    assert firing_of(begun) == firing
    fired = Fired(3, (CoreMove(1, 0, 1), CoreMove(5, 200, 3)))
    assert list(operations([Placed(8, fired)])) == [EndFiring(3), Remove(1), Move(5, 200, 3)]


def test_what_is_moved_stays_or_ends() -> None:
    moved = Moved((CoreMove(5, 200, 3), CoreMove(6, 0, 1)))
    assert list(operations([Placed(8, moved)])) == [Move(5, 200, 3), Remove(6)]


@pytest.mark.parametrize("data", [b"", b"\x93\x01\x01\x01", b"\x93\x01\x01\x91\x91\x01"])
def test_a_firing_that_rots_in_the_index_is_its_damage(data: bytes) -> None:
    with pytest.raises(IndexDamaged, match="partition 3"):
        firing_of(BeginFiring(3, 7, data))


@pytest.mark.parametrize("due_us", [0, 2**63])
def test_a_firing_at_a_time_that_no_schedule_can_have_is_damage(due_us: int) -> None:
    data = msgpack.packb((0, 0, [(1, due_us)]))
    with pytest.raises(IndexDamaged, match="partition 3: due at"):
        firing_of(BeginFiring(3, 7, data))


def test_what_a_newer_version_says_of_a_firing_is_skipped() -> None:
    data = msgpack.packb((1, 2, [(1, 99, "new")], "new"))
    assert firing_of(BeginFiring(3, 7, data)) == Firing(3, 1, 2, (Shot(1, 99),))
