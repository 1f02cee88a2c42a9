from collections.abc import Sequence

import pytest

from tapemq_broker.core.queue import leases as module
from tapemq_broker.core.queue.leases import Held, Leases
from tapemq_broker.core.queue.supply import Portion
from tests.support.core.queueing import consume, group, info, later, queue_world, send
from tests.support.core.reading import key


def granted(
    leases: Leases, *, runs: Sequence[tuple[int, int]] = ((0, 3),), key_lanes: bool = False
) -> Held:
    made = group(1, 1, key_lanes=key_lanes)
    portion = Portion(list(runs), deliveries=2)
    return leases.grant(made, made.backlogs[0], made.consumers[key(0)], portion)


def test_ids_are_of_this_boot() -> None:
    leases = Leases(5)
    held = granted(leases)
    assert held.lease.lease_id == 5 * 2**40 + 1
    assert leases.get(held.lease.lease_id) is held
    assert (held.backlog.leased, held.lease.deliveries, set(held.consumer.leases)) == (
        *(3, 2),
        {held.lease.lease_id},
    )


def test_a_lease_that_is_done_is_forgotten_once_it_is_sent() -> None:
    leases = Leases(1)
    held = granted(leases)
    held.lease.take(0, 3)
    leases.drop_if_done(held)
    assert len(leases) == 1
    held.group.end_sending(held.consumer, held.backlog, held.lease.lease_id)
    leases.drop_if_done(held)
    assert (len(leases), held.backlog.leases, held.consumer.leases) == (0, {}, {})


def test_a_deadline_is_only_ever_put_off() -> None:
    leases = Leases(1)
    held = granted(leases)
    leases.set_deadline(held, 10.0)
    leases.set_deadline(held, 20.0)
    leases.set_deadline(held, 15.0)
    assert list(leases.expired(19.9)) == []
    assert list(leases.expired(20.2)) == [held]


def test_a_sign_of_life_extends_all_leases_of_a_session() -> None:
    leases = Leases(1)
    held = granted(leases)
    leases.set_deadline(held, 30.0)
    leases.session_seen(held.consumer.key.session, 25.0)
    assert list(leases.expired(30.2)) == []
    assert list(leases.expired(54.9)) == []
    assert list(leases.expired(55.2)) == [held]


def test_a_session_that_is_gone_gives_no_sign() -> None:
    leases = Leases(1)
    held = granted(leases)
    leases.set_deadline(held, 30.0)
    leases.session_seen(held.consumer.key.session, 25.0)
    leases.forget_session(held.consumer.key.session)
    assert list(leases.expired(30.2)) == [held]


def test_no_lease_runs_out_while_its_session_is_not_read() -> None:
    leases = Leases(1)
    held = granted(leases)
    leases.set_deadline(held, 30.0)
    session = held.consumer.key.session
    leases.session_unread(session, True, 10.0)
    assert list(leases.expired(50.0)) == []
    assert list(leases.expired(99.0)) == []
    leases.session_unread(session, False, 100.0)
    assert list(leases.expired(129.9)) == []
    assert list(leases.expired(130.2)) == [held]


def test_a_session_that_is_gone_is_not_waited_for_though_it_was_not_read() -> None:
    leases = Leases(1)
    held = granted(leases)
    leases.set_deadline(held, 30.0)
    leases.session_unread(held.consumer.key.session, True, 10.0)
    leases.forget_session(held.consumer.key.session)
    assert list(leases.expired(30.2)) == [held]


def test_a_lease_that_is_dropped_is_never_due() -> None:
    leases = Leases(1)
    held = granted(leases)
    leases.set_deadline(held, 10.0)
    leases.drop(held)
    assert list(leases.expired(10.2)) == []


def test_a_lease_that_was_extended_by_a_sign_is_never_due_once_it_is_dropped() -> None:
    leases = Leases(1)
    held = granted(leases)
    leases.set_deadline(held, 30.0)
    leases.session_seen(held.consumer.key.session, 25.0)
    assert list(leases.expired(30.2)) == []
    leases.drop(held)
    assert list(leases.expired(60.0)) == []


@pytest.mark.parametrize(("at_once", "first_ones"), [(9, 2), (10, 2), (11, 3)])
def test_so_many_come_back_at_once(
    monkeypatch: pytest.MonkeyPatch, at_once: int, first_ones: int
) -> None:
    monkeypatch.setattr(module, "RUNS_AT_ONCE", at_once)
    leases = Leases(1)
    for _ in range(4):
        held = granted(leases)
        assert held.runs_to_return == 5
        leases.set_deadline(held, 10.0)
    assert len(list(leases.expired(10.2))) == first_ones


def test_a_lease_of_a_void_partition_is_never_due() -> None:
    leases = Leases(1)
    held, other = granted(leases), granted(leases)
    for each in (held, other):
        leases.set_deadline(each, 10.0)
    assert list(leases.void(held.backlog)) == [held]
    assert list(leases.expired(10.2)) == [other]


def test_what_it_costs_to_give_records_back() -> None:
    held = granted(Leases(1), runs=[(0, 4), (10, 12)])
    lease = held.lease
    assert held.runs_to_return == 1 + 4
    lease.take(1, 2)
    assert held.runs_to_return == 2 + 4
    lease.start(2, 4)
    assert held.runs_to_return == 2 + 2 + 4
    lease.troubled = True
    assert held.runs_to_return == 5 + 4


def test_records_with_keys_are_given_back_one_by_one() -> None:
    assert granted(Leases(1), key_lanes=True).runs_to_return == 3 + 4


def test_what_runs_out_together_is_given_back_little_by_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A consumer that hangs may hold a million records, each of which has to be written."""
    monkeypatch.setattr(module, "RUNS_AT_ONCE", 20)
    world = queue_world(100)
    consume(world, records=0)
    for _ in range(4):
        world.run(world.core.queues.credit(key(1), 25, 0))
        lease = send(world)
        token = (lease.lease_id, lease.runs[0][0], 25)
        world.core.queues.started(key(1), [token])
    left = [info(world).leased]
    for _ in range(5):
        later(world, 35.0)
        left.append(info(world).leased)
    assert left == [100, 75, 50, 25, 0, 0]
    assert info(world).crashed == 100
