import pytest

from tapemq_broker.core import effects as e
from tapemq_broker.core.queue import chores
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.start import Start
from tapemq_broker.core.subscription import DELIVERY_BYTES_MAX
from tests.support.core.queueing import (
    GROUP,
    backlog,
    consume,
    info,
    later,
    queue_world,
    seek,
    send,
    settle,
    settled,
)
from tests.support.core.reading import data_log, groups_log, key


def test_what_is_ready_is_spread_over_those_who_can_take_it() -> None:
    world = queue_world()
    for session in range(1, 5):
        consume(world, session)
    world.publish(data_log(), *[b"x"] * 10)
    world.sync()
    found = []
    while world.leasing:
        lease = send(world)
        found.append((lease.key.session, lease.runs[0][1] - lease.runs[0][0]))
    assert found[:4] == [(1, 3), (2, 2), (3, 2), (4, 1)]
    assert sum(count for _, count in found) == 10


@pytest.mark.parametrize(("records", "size_bytes"), [(2, 1 << 20), (5, 100), (5, 1 << 30)])
def test_a_lease_keeps_within_credit(records: int, size_bytes: int) -> None:
    world = queue_world(10)
    consume(world, records=records, size_bytes=size_bytes)
    (lease,) = world.leasing
    assert lease.runs == ((0, records),)
    assert lease.max_bytes == min(size_bytes, DELIVERY_BYTES_MAX)


def test_what_was_not_sent_is_ready_as_if_nothing_had_been() -> None:
    world = queue_world(10)
    consume(world, records=5)
    send(world, upto=3)
    assert info(world).credit_records == 2
    (lease,) = world.leasing
    assert (lease.runs, lease.deliveries) == (((3, 5),), 0)


def test_what_was_not_sent_of_several_runs_is_ready_as_well() -> None:
    world = queue_world(10)
    consume(world)
    lease_id = send(world).lease_id
    settled(world, Verb.ACK, (lease_id, 3, 2))
    settled(world, Verb.RELEASE, (lease_id, 0, 3), (lease_id, 5, 5))
    assert world.leasing[0].runs == ((0, 3), (5, 10))
    send(world, upto=2)
    assert [lease.runs for lease in world.leasing] == [((2, 3), (5, 10))]


def test_what_failed_before_a_seek_does_not_bring_back_what_failed_behind_it() -> None:
    world = queue_world(1)
    consume(world)
    settle(world, Verb.NACK, (send(world).lease_id, 0, 1), delay_ms=0)
    seek(world, Start("earliest"))
    settle(world, Verb.NACK, (send(world).lease_id, 0, 1), delay_ms=3_600_000)
    world.sync()
    assert not world.leasing
    assert backlog(world).waiting == 1
    later(world, 3601)
    assert send(world).failures == 1


def test_one_lease_at_a_time_is_sent_from_a_partition_and_to_a_consumer() -> None:
    world = queue_world(10, partitions=2)
    consume(world, 1, records=4)
    assert [lease.log.partition for lease in world.leasing] == [0]
    consume(world, 2, records=4)
    assert [lease.log.partition for lease in world.leasing] == [0, 1]
    consume(world, 3, records=4)
    assert len(world.leasing) == 2


def test_every_command_says_once_what_has_changed() -> None:
    world = queue_world(5, partitions=2)
    consume(world)
    first = send(world)
    second = send(world)
    world.trace.clear()
    tokens = [(one.lease_id, at, 1) for one in (first, second) for at in (0, 2)]
    request = settle(world, Verb.ACK, *tokens)
    assert [one.log for one in world.trace if isinstance(one, e.StateChanged)] == [
        *(groups_log(0), groups_log(1))
    ]
    waits = [one for one in world.trace if isinstance(one, e.ReplyWhenDurable)]
    assert [one.log for one in waits] == [groups_log(1)]
    assert waits[0].request == request


def test_who_is_given_a_thousand_records_gets_no_more_at_once() -> None:
    world = queue_world(1500)
    consume(world, records=2000)
    (lease,) = world.leasing
    assert lease.runs == ((0, 1000),)
    assert lease.key == key(1)


def test_of_many_leases_all_are_void_at_once_and_consumers_are_told_bit_by_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chores, "RUNS_AT_ONCE", 9)
    world = queue_world(5)
    consume(world, records=0, lease_ms=1000)
    leases = []
    for _ in range(5):
        world.run(world.core.queues.credit(key(1), 1, 0))
        leases.append(send(world))
    groups = world.core.groups
    world.execute(0, lambda r: groups.seek(r, 1, GROUP, 0, start=Start("earliest"), now_us=0))
    assert (info(world).leased, info(world).ready) == (0, 5)
    last = (leases[4].lease_id, 4, 1)
    assert settled(world, Verb.ACK, last).lost == [last]
    later(world, 2.0)
    for told in (2, 4, 5):
        taken = [one for one in world.trace if isinstance(one, e.TakeBack)]
        assert [one.tokens[0][0] for one in taken] == [one.lease_id for one in leases[:told]]
        if world.turns:
            world.turn()
    assert (info(world).leased, info(world).ready, info(world).crashed) == (0, 5, 0)
