from tapemq_broker.core.queue.leases import Held, Leases
from tapemq_broker.core.queue.supply import Portion
from tests.support.core.queueing import group
from tests.support.core.reading import key


def granted(leases: Leases) -> Held:
    made = group(1, 1)
    portion = Portion([(0, 3)], deliveries=2)
    return leases.grant(made, made.backlogs[0], made.consumers[key(0)], portion)


def test_ids_are_of_this_boot() -> None:
    leases = Leases(5)
    held = granted(leases)
    assert held.lease.lease_id == (5 << 32) + 1
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
    assert leases.expired(19.9) == []
    assert leases.expired(20.2) == [held]


def test_a_sign_of_life_extends_all_leases_of_a_session() -> None:
    leases = Leases(1)
    held = granted(leases)
    leases.set_deadline(held, 30.0)
    leases.session_seen(held.consumer.key.session, 25.0)
    assert leases.expired(30.2) == []
    assert leases.expired(54.9) == []
    assert leases.expired(55.2) == [held]


def test_a_session_that_is_gone_gives_no_sign() -> None:
    leases = Leases(1)
    held = granted(leases)
    leases.set_deadline(held, 30.0)
    leases.session_seen(held.consumer.key.session, 25.0)
    leases.forget_session(held.consumer.key.session)
    assert leases.expired(30.2) == [held]


def test_a_lease_that_is_dropped_is_never_due() -> None:
    leases = Leases(1)
    held = granted(leases)
    leases.set_deadline(held, 10.0)
    leases.drop(held)
    assert leases.expired(10.2) == []


def test_a_lease_that_was_extended_by_a_sign_is_never_due_once_it_is_dropped() -> None:
    leases = Leases(1)
    held = granted(leases)
    leases.set_deadline(held, 30.0)
    leases.session_seen(held.consumer.key.session, 25.0)
    assert leases.expired(30.2) == []
    leases.drop(held)
    assert leases.expired(60.0) == []
