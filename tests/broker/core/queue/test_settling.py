from typing import Any

import pytest

from tapemq_broker.core import effects as e
from tapemq_broker.core.queue.dead import Dead
from tapemq_broker.core.queue.dead_letters import Choice
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.results import Settled
from tests.support.core.queueing import backlog, consume, info, later, queue_world, send, settle
from tests.support.core.world import World


def leased(records: int = 3, **settings: Any) -> tuple[World, e.DeliverLease]:
    world = queue_world(records)
    consume(world, **settings)
    return world, send(world)


def dead(world: World, offset: int) -> Dead:
    return Dead.decode(backlog(world).ledger.dead[offset])


def test_a_failure_is_on_disk_before_the_record_comes_back() -> None:
    world, lease = leased()
    settle(world, Verb.NACK, (lease.lease_id, 1, 1), delay_ms=0)
    world.prepare()
    assert not world.leasing
    assert (info(world).retrying, info(world).failed) == (1, 1)
    world.sync()
    again = world.leasing.popleft()
    assert (again.runs, again.failures, again.crashes, again.deliveries) == (((1, 2),), 1, 0, 1)


def test_a_record_is_not_tried_again_before_its_time() -> None:
    world, lease = leased(retry_delays_ms="1000", retry_jitter_percent=0)
    settle(world, Verb.NACK, (lease.lease_id, 0, 1))
    settle(world, Verb.NACK, (lease.lease_id, 1, 1), delay_ms=200)
    world.sync()
    for seconds, expected in ((0.19, 0), (0.02, 1), (0.7, 1), (0.1, 2)):
        later(world, seconds)
        for _ in range(len(world.leasing)):
            send(world)
        assert info(world).redelivered == expected


def test_attempts_are_failures_and_crashes() -> None:
    world, lease = leased(1, max_attempts=2, lease_ms=1000)
    world.core.queues.started(lease.key, [(lease.lease_id, 0, 1)])
    later(world, 1.2)
    world.sync()
    lease = send(world)
    assert (lease.failures, lease.crashes) == (0, 1)
    world.now = 9.0
    settle(world, Verb.NACK, (lease.lease_id, 0, 1), reason="no luck", error="at all")
    assert dead(world, 0) == Dead("no luck", "at all", 1, 1, 0, 9_000_000, 1_200_000, 9_000_000)
    assert (info(world).crashed, info(world).failed, info(world).dead) == (1, 1, 1)


@pytest.mark.parametrize(("error", "kept"), [("at all", "at all"), ("", "no luck")])
def test_what_dies_of_crashes_keeps_what_its_last_failure_said(error: str, kept: str) -> None:
    world, lease = leased(1, max_attempts=3, lease_ms=1000)
    settle(world, Verb.NACK, (lease.lease_id, 0, 1), reason="no luck", error=error, delay_ms=0)
    for crashes in (0, 1):
        world.sync()
        world.crash()
        consume(world)
        lease = send(world)
        assert (lease.failures, lease.crashes) == (1, crashes)
        world.core.queues.started(lease.key, [(lease.lease_id, 0, 1)])
        later(world, 1.2)
    assert dead(world, 0)[:4] == ("crashed", kept, 1, 2)


@pytest.mark.parametrize("verb", [Verb.NACK, Verb.REJECT])
def test_bad_news_is_answered_once_it_is_on_disk(verb: Verb) -> None:
    world, lease = leased(1, max_attempts=1)
    request = settle(world, verb, (lease.lease_id, 0, 1))
    assert world.answer(request) is None
    world.sync()
    assert world.answer(request) == Settled([])
    world.crash()
    assert info(world).dead == 1


@pytest.mark.parametrize(("mode", "next_ones"), [("block", ()), ("park", ((1, 2),))])
def test_a_failed_record_keeps_its_slot_or_lets_its_key_pass(
    mode: str, next_ones: tuple[tuple[int, int], ...]
) -> None:
    world = queue_world(2)
    consume(world, key_lanes=True, key_failure=mode)
    asked = world.asking.popleft()
    world.run(world.core.queues.keys_read(asked.log, asked.group, 0, [b"a", b"a"]))
    lease = send(world)
    assert lease.runs == ((0, 1),)
    settle(world, Verb.NACK, (lease.lease_id, 0, 1), delay_ms=1000)
    world.sync()
    assert tuple(run for lease in world.leasing for run in lease.runs) == next_ones


def test_without_a_limit_a_record_never_dies() -> None:
    world, lease = leased(1, max_attempts=0)
    for _ in range(20):
        settle(world, Verb.NACK, (lease.lease_id, 0, 1), delay_ms=0)
        world.sync()
        lease = send(world)
    assert lease.failures == 20


def test_a_rejected_record_is_dead_at_once() -> None:
    world, lease = leased()
    settle(world, Verb.REJECT, (lease.lease_id, 0, 2), error="x" * 5000)
    assert dead(world, 1) == Dead("rejected", "x" * 1024, 0, 0, 0, 0, 0, 0)
    assert info(world).ack_floor == 2


def test_a_reject_is_no_failure() -> None:
    world, lease = leased(1)
    world.now = 3.0
    settle(world, Verb.NACK, (lease.lease_id, 0, 1), delay_ms=0)
    world.sync()
    lease = send(world)
    world.now = 9.0
    settle(world, Verb.REJECT, (lease.lease_id, 0, 1))
    assert dead(world, 0)[2:] == (1, 0, 0, 9_000_000, 3_000_000, 3_000_000)


def test_what_is_released_counts_as_nothing() -> None:
    world, lease = leased(max_attempts=1)
    for deliveries in range(1, 4):
        settle(world, Verb.RELEASE, (lease.lease_id, 0, 3))
        lease = send(world)
        assert (lease.failures, lease.crashes, lease.deliveries) == (0, 0, deliveries)


@pytest.mark.parametrize("started", [True, False])
def test_a_lost_consumer_crashes_only_what_it_had_started(started: bool) -> None:
    world, lease = leased()
    consume(world, 2)
    if started:
        world.core.queues.started(lease.key, [(lease.lease_id, 1, 1)])
    world.run(world.core.queues.session_closed(1, world.now_us))
    world.sync()
    found: dict[int, tuple[int, int, int]] = {}
    while world.leasing:
        again = send(world)
        found |= {
            at: (again.failures, again.crashes, again.deliveries)
            for run in again.runs
            for at in range(*run)
        }
    assert found == {0: (0, 0, 1), 1: (0, int(started), 1), 2: (0, 0, 1)}


@pytest.mark.parametrize("expire_dead", [True, False])
def test_what_cannot_be_sent_is_settled(expire_dead: bool) -> None:
    world = queue_world(6)
    consume(world, expire_dead=expire_dead)
    lease = world.leasing.popleft()
    effects = world.core.queues.lease_sent(
        lease,
        upto=5,
        size_bytes=10,
        now=0.0,
        now_us=7,
        absent=[(0, 1)],
        expired=[(1, 2)],
        too_old=[(3, 4)],
    )
    world.run(effects)
    found = info(world)
    assert (found.gone, found.expired, found.leased) == (1, 1, 3)
    assert (found.credit_records, found.dead) == (998, 1 + expire_dead)
    assert dead(world, 3).reason == "too_old"
    assert not expire_dead or dead(world, 1).reason == "expired"
    assert found.ack_floor == 2


def test_redriven_records_are_never_too_old() -> None:
    world = queue_world(1)
    consume(world, max_age_ms=1000)
    lease = send(world)
    assert lease.max_age_ms == 1000
    settle(world, Verb.REJECT, (lease.lease_id, 0, 1))
    queues = world.core.queues
    world.execute(0, lambda r: queues.redrive(r, 1, "billing", 0, Choice(every=True), now_us=0))
    world.sync()
    again = send(world)
    assert (again.max_age_ms, again.lives_again) == (0, True)


def test_what_succeeds_at_last_is_settled_and_forgotten() -> None:
    world, lease = leased(2)
    settle(world, Verb.NACK, (lease.lease_id, 0, 1), delay_ms=0)
    world.sync()
    again = send(world)
    assert (info(world).leased, info(world).acked) == (2, 0)
    settle(world, Verb.ACK, (again.lease_id, 0, 1), (lease.lease_id, 1, 1))
    assert (info(world).leased, info(world).acked, info(world).ack_floor) == (0, 2, 2)
    assert backlog(world).ledger.troubles == {}


def test_what_is_known_of_a_failure_is_the_last_one_and_when_the_first_was() -> None:
    world, lease = leased(1, max_attempts=3)
    for now in (5.0, 9.0):
        world.now = now
        settle(world, Verb.NACK, (lease.lease_id, 0, 1), delay_ms=0, reason=f"at {now}", error="x")
        trouble = backlog(world).ledger.troubles[0]
        assert (trouble.first_failure_us, trouble.last_us) == (5_000_000, int(now * 1e6))
        assert (trouble.reason, trouble.error) == (f"at {now}", "x")
        world.sync()
        lease = send(world)
    settle(world, Verb.NACK, (lease.lease_id, 0, 1))
    assert (dead(world, 0).reason, dead(world, 0).failures) == ("failed", 3)
    assert (info(world).leased, info(world).retrying, info(world).dead) == (0, 0, 1)


def test_all_that_a_lost_consumer_had_begun_is_counted() -> None:
    world, lease = leased(5)
    world.core.queues.started(lease.key, [(lease.lease_id, 2, 2)])
    world.run(world.core.queues.session_closed(1, world.now_us))
    assert (info(world).crashed, info(world).leased, info(world).retrying) == (2, 0, 2)
