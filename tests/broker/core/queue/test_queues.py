from collections.abc import Sequence

import pytest

from tapemq_broker.core import effects as e
from tapemq_broker.core.queue import queues as module
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Done, Settled
from tapemq_broker.core.start import Start
from tests.support.core.queueing import (
    GROUP,
    consume,
    info,
    later,
    queue_world,
    refusal,
    send,
    settle,
    settled,
)
from tests.support.core.reading import data_log, key, subscribe, wish
from tests.support.core.world import World


def extend(
    world: World, tokens: Sequence[tuple[int, int, int]], lease_ms: int = 0, session: int = 1
) -> Settled:
    queues, now = world.core.queues, world.now
    request = world.execute(
        session, lambda r: queues.extend(r, key(session), tokens, lease_ms=lease_ms, now=now)
    )
    answer = world.answer(request)
    assert isinstance(answer, Settled)
    return answer


def test_numbers_of_subscriptions_are_shared_by_both_kinds() -> None:
    world = queue_world(1)
    consume(world)
    subscribe(world, wish(2))
    assert refusal(world, consume(world)) == "bad_request"
    assert refusal(world, consume(world, 2)) == "bad_request"
    assert refusal(world, subscribe(world, wish(1))) == "bad_request"
    assert refusal(world, consume(world, 3, group="")) == "bad_request"
    queues = world.core.queues
    assert (len(queues), queues.count(1), queues.count(2)) == (1, 1, 0)
    assert key(1) in queues
    assert key(2) not in queues


def test_an_ack_is_answered_once_it_is_on_disk() -> None:
    world = queue_world(5)
    consume(world)
    lease = send(world)
    request = settle(world, Verb.ACK, (lease.lease_id, 0, 5))
    assert world.answer(request) is None
    world.sync()
    assert world.answer(request) == Settled([])
    world.crash()
    assert info(world).ack_floor == 5


def test_what_is_not_leased_any_more_is_lost() -> None:
    world = queue_world(9)
    consume(world, records=5)
    lease = send(world)
    number = lease.lease_id
    assert settled(world, Verb.ACK, (number, 1, 2)).lost == []
    assert settled(world, Verb.NACK, (number, 0, 4), (number, 3, 9), (5, 0, 1)).lost == [
        *((number, 1, 2), (number, 3, 1), (number, 5, 7)),
        (5, 0, 1),
    ]


def test_no_lease_is_more_work_than_it_has_records_whatever_a_token_says() -> None:
    """A frame names 4,096, and each would be carried out in a turn of the loop of its own."""
    world = queue_world(3)
    consume(world)
    lease = send(world)
    cost = world.core.queues.cost
    assert cost(Verb.NACK, (lease.lease_id, 0, 2**31)) == 3
    assert cost(Verb.NACK, (lease.lease_id + 1, 0, 2**31)) == 1
    assert cost(Verb.ACK, (lease.lease_id, 0, 2**31)) == 1


def test_others_cannot_settle_a_lease() -> None:
    world = queue_world(5)
    consume(world)
    consume(world, 2)
    lease = send(world)
    request = settle(world, Verb.ACK, (lease.lease_id, 0, 2), session=2)
    assert world.answer(request) == Settled([(lease.lease_id, 0, 2)])
    assert refusal(world, settle(world, Verb.ACK, session=3)) == "unknown_subscription"


def test_leases_run_out_and_come_back() -> None:
    world = queue_world(2)
    consume(world, lease_ms=1000)
    lease = send(world)
    later(world, 0.9)
    assert info(world).leased == 2
    later(world, 0.3)
    (lost,) = [one for one in world.trace if isinstance(one, e.TakeBack)]
    assert (lost.key, lost.tokens, lost.reason) == (key(1), [(lease.lease_id, 0, 2)], "expired")
    again = send(world)
    assert (again.runs, again.deliveries) == (((0, 2),), 1)


def test_extension_counts_nothing_and_is_not_written() -> None:
    world = queue_world(2)
    consume(world, lease_ms=1000)
    number = send(world).lease_id
    world.now = 0.9
    assert extend(world, [(number, 0, 1), (7, 0, 1)]).lost == [(7, 0, 1)]
    later(world, 0.9)
    assert extend(world, [(number, 1, 2)], 5000).lost == [(number, 2, 1)]
    later(world, 4.9)
    assert (info(world).leased, info(world).redelivered) == (2, 0)
    assert not world.changed
    later(world, 0.3)
    assert send(world).deliveries == 1


def test_a_lease_that_was_not_sent_yet_cannot_be_extended() -> None:
    """It would run out while it is sent, and its consumer would wait for that for ever."""
    world = queue_world(3)
    consume(world)
    (wish,) = world.leasing
    assert extend(world, [(wish.lease_id, 0, 3)]).lost == [(wish.lease_id, 0, 3)]
    later(world, 60)
    lease = send(world)
    assert extend(world, [(lease.lease_id, 0, 3)]).lost == []


def test_others_cannot_extend_a_lease() -> None:
    world = queue_world(2)
    consume(world)
    consume(world, 2)
    number = send(world).lease_id
    assert extend(world, [(number, 0, 1)], session=2).lost == [(number, 0, 1)]


def test_a_sign_of_life_holds_all_leases() -> None:
    world = queue_world(2)
    consume(world, lease_ms=1000)
    send(world)
    for _ in range(5):
        world.core.queues.extend_session(1, world.now)
        later(world, 0.9)
    assert info(world).leased == 2
    later(world, 0.4)
    assert send(world).deliveries == 1


def test_very_many_groups_are_told_some_at_a_time_that_there_is_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_GROUPS_AT_ONCE", 2)
    world = queue_world()
    for session in range(1, 6):
        consume(world, session, group=f"g{session}", start="latest")

    while world.turns:
        world.turn()

    def told() -> list[int]:
        return [lease.key.session for lease in world.leasing]

    world.publish(data_log(), b"a")
    world.sync()
    assert told() == [1, 2]
    assert len(world.turns) == 1
    sent = send(world)
    world.publish(data_log(), b"b")
    world.sync()
    assert (told(), len(world.turns)) == ([2], 1)
    while world.turns:
        world.turn()
    assert sorted(told()) == [1, 2, 3, 4, 5]
    while world.leasing:
        send(world)
    taken = [one for one in world.trace if isinstance(one, e.DeliverLease)]
    for session in range(1, 6):
        mine = [run for lease in taken if lease.key.session == session for run in lease.runs]
        assert sorted(offset for run in mine for offset in range(*run)) == [0, 1]
    assert sent.key.session == 1
    world.publish(data_log(), b"c")
    world.sync()
    assert told() == [1, 2]


def test_a_topic_may_go_while_very_many_groups_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GROUPS_AT_ONCE", 1)
    world = queue_world()
    for session in (1, 2, 3):
        consume(world, session, group=f"g{session}", start="latest")
    world.publish(data_log(), b"a")
    world.sync()
    world.publish(data_log(), b"b")
    world.sync()
    world.execute(0, lambda r: world.core.delete_topic(r, "orders"))
    while world.turns:
        world.turn()
    assert [lease.key.session for lease in world.leasing] == [1]


def test_a_lease_keeps_its_time_when_that_of_the_group_is_made_shorter() -> None:
    """Its consumer extends it in a third of the time that it was told."""
    world = queue_world(2)
    consume(world, lease_ms=30_000)
    number = send(world).lease_id
    world.core.queues.started(key(1), [(number, 0, 2)])
    world.execute(0, lambda r: world.core.queues.alter(r, 1, GROUP, {"lease_ms": 1000}))
    for _ in range(9):
        later(world, 10)
        assert extend(world, [(number, 0, 2)]).lost == []
    assert (info(world).leased, info(world).crashed) == (2, 0)
    for _ in range(9):
        later(world, 20)
        world.core.queues.extend_session(1, world.now)
    assert (info(world).leased, info(world).crashed) == (2, 0)


def test_what_a_consumer_that_leaves_in_peace_had_started_did_not_crash() -> None:
    world = queue_world(2)
    consume(world)
    lease = send(world)
    world.core.queues.started(key(1), [(lease.lease_id, 0, 2)])
    queues = world.core.queues
    request = world.execute(1, lambda r: queues.cancel(r, key(1)))
    assert world.answer(request) == Done()
    assert (info(world).ready, info(world).crashed) == (2, 0)
    assert refusal(world, world.execute(1, lambda r: queues.cancel(r, key(1)))) == (
        "unknown_subscription"
    )


def test_only_the_holder_can_say_that_it_has_started() -> None:
    world = queue_world(2)
    consume(world)
    consume(world, 2)
    lease = send(world)
    world.core.queues.started(key(2), [(lease.lease_id, 0, 2), (9, 0, 1)])
    world.run(world.core.queues.session_closed(1, 0))
    assert info(world).crashed == 0


def test_credit_brings_more_and_is_void_for_who_is_gone() -> None:
    world = queue_world(5)
    consume(world, records=2)
    send(world)
    world.run(world.core.queues.credit(key(1), 1, 0))
    assert world.leasing[0].runs == ((2, 3),)
    assert world.core.queues.credit(key(5), 1, 1) == []


def test_who_takes_no_more_is_passed_over() -> None:
    world = queue_world(5)
    consume(world)
    lease = world.leasing.popleft()
    queues = world.core.queues
    queues.stalled(1)
    world.run(queues.lease_sent(lease, upto=0, size_bytes=0, now=0.0, now_us=0))
    assert not world.leasing
    assert (info(world).ready, info(world).credit_records) == (5, 1000)
    consume(world, 2)
    assert world.leasing[0].key == key(2)
    send(world)
    world.publish(data_log(), b"x")
    queues.stalled(2)
    world.sync()
    assert not world.leasing
    world.run(queues.resumed(1))
    assert (world.leasing[0].key, world.leasing[0].deliveries) == (key(1), 0)


def test_a_void_lease_costs_credit_if_it_was_sent() -> None:
    world = queue_world(5)
    consume(world, records=5)
    lease = world.leasing.popleft()
    groups, queues = world.core.groups, world.core.queues
    world.execute(0, lambda r: groups.seek(r, 1, GROUP, 0, start=Start("latest"), now_us=0))
    assert not queues.is_wanted(lease)
    effects = queues.lease_sent(
        lease, upto=4, size_bytes=3, now=0.0, now_us=0, absent=[(0, 1)], expired=[(2, 3)]
    )
    world.run(effects)
    assert (info(world).credit_records, info(world).leased, info(world).gone) == (3, 0, 0)
    assert queues.lease_failed(lease, Refusal("storage_failed", "rot")) == []


def test_damage_ends_a_partition_and_others_go_on() -> None:
    world = queue_world(5, partitions=2)
    consume(world)
    lease = world.leasing.popleft()
    world.run(world.core.queues.lease_failed(lease, Refusal("storage_failed", "rot")))
    assert [other.log for other in world.leasing] == [data_log(1)]
    assert (info(world).ready, info(world).leased) == (5, 0)
    world.leasing.clear()
    world.crash()
    consume(world, 2)
    assert world.leasing[0].log == data_log(0)


def test_keys_are_asked_for_and_lanes_follow() -> None:
    world = queue_world(3)
    consume(world, key_lanes=True)
    asked = world.asking.popleft()
    assert (asked.log, asked.group, asked.first, asked.upto) == (data_log(), GROUP, 0, 3)
    queues = world.core.queues
    world.run(queues.keys_read(asked.log, GROUP, 0, [b"a", b"a", None]))
    lease = send(world)
    assert lease.runs == ((0, 1), (2, 3))
    settle(world, Verb.ACK, (lease.lease_id, 0, 1))
    assert send(world).runs == ((1, 2),)
    assert queues.keys_read(data_log(topic_id=9), GROUP, 0, [None]) == []
    assert queues.keys_read(asked.log, "nobody", 0, [None]) == []


def test_what_becomes_visible_is_handed_out() -> None:
    world = queue_world(0)
    consume(world)
    world.publish(data_log(), b"x")
    assert not world.leasing
    world.sync()
    assert world.leasing[0].runs == ((0, 1),)
    assert world.core.queues.visible(data_log(topic_id=9)) == []


def test_after_a_restart_all_that_is_not_settled_comes_again() -> None:
    world = queue_world(6)
    consume(world)
    lease = send(world)
    number = lease.lease_id
    settled(world, Verb.ACK, (number, 1, 1), (number, 4, 1))
    settle(world, Verb.NACK, (number, 3, 1), delay_ms=500)
    world.sync()
    world.crash()
    consume(world)
    assert settled(world, Verb.ACK, (number, 0, 6)).lost == [(number, 0, 6)]
    found = []
    for _ in range(3):
        while world.leasing:
            again = send(world)
            assert again.lease_id > number
            found += [(at, again.failures) for run in again.runs for at in range(*run)]
        later(world, 0.6)
    assert sorted(found) == [(0, 0), (2, 0), (3, 1), (5, 0)]


def test_the_next_lease_is_made_though_all_of_one_that_is_given_back_is_gone() -> None:
    world = queue_world(10)
    consume(world, 1, records=4)
    consume(world, 2, records=4)
    [lease] = world.leasing
    world.run(world.core.truncated(data_log(0), lease.runs[-1][1]))
    world.leasing.clear()
    world.execute(1, lambda r: world.core.queues.cancel(r, key(1)))
    assert [lease.runs for lease in world.leasing] == [((4, 8),)]
