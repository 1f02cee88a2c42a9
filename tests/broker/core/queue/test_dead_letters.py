from collections.abc import Callable

import pytest

from tapemq_broker.core import effects as e
from tapemq_broker.core.queue import ledger
from tapemq_broker.core.queue.dead_letters import Choice
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Affected, DeadPage, Done
from tapemq_broker.core.start import Start
from tests.support.core.queueing import (
    GROUP,
    backlog,
    close,
    consume,
    delete,
    info,
    later,
    queue_world,
    refusal,
    send,
    settle,
)
from tests.support.core.world import World

ALL = Choice(every=True)


def dead_world(records: int = 6) -> World:
    """All dead: the even ones because of "a", the odd ones because of "b"."""
    world = queue_world(records)
    consume(world, records=records)
    while world.leasing:
        lease = send(world)
        for reason in "ab":
            offsets = range(lease.runs[0][0] + (reason == "b"), lease.runs[0][1], 2)
            tokens = [(lease.lease_id, at, 1) for at in offsets]
            settle(world, Verb.REJECT, *tokens, reason=reason)
    world.sync()
    assert info(world).dead == records
    return world


def redrive(world: World, choice: Choice, rate: int = 0, dry_run: bool = False) -> e.Request:
    queues, now_us = world.core.queues, world.now_us
    return world.execute(
        0,
        lambda r: queues.redrive(
            r, 1, GROUP, 0, choice, now_us=now_us, rate_per_s=rate, dry_run=dry_run
        ),
    )


def discard(world: World, choice: Choice, dry_run: bool = False) -> e.Request:
    queues = world.core.queues
    return world.execute(0, lambda r: queues.discard(r, 1, GROUP, 0, choice, dry_run=dry_run))


def page(world: World, after: int = 0, reason: str = "") -> DeadPage:
    queues = world.core.queues
    request = world.execute(
        0, lambda r: queues.list_dead(r, 1, GROUP, 0, after_offset=after, reason=reason)
    )
    answer = world.answer(request)
    assert isinstance(answer, DeadPage)
    return answer


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        (ALL, []),
        (Choice(reason="a"), [1, 3, 5]),
        (Choice([(0, 2), (4, 9)]), [2, 3]),
        (Choice([(0, 3)], "b"), [0, 2, 3, 4, 5]),
        (Choice(reason="c"), [0, 1, 2, 3, 4, 5]),
        (Choice([(n << 32, (n + 1) << 32) for n in range(256)]), []),
        (Choice([(1 << 40, 1 << 50)]), [0, 1, 2, 3, 4, 5]),
    ],
)
def test_dead_records_are_chosen(choice: Choice, left: list[int]) -> None:
    world = dead_world()
    dry = [redrive(world, choice, dry_run=True), discard(world, choice, dry_run=True)]
    assert [world.answer(request) for request in dry] == [Affected(6 - len(left))] * 2
    assert info(world).dead == 6
    request = discard(world, choice)
    world.sync()
    assert world.answer(request) == Affected(6 - len(left))
    assert [record["offset"] for record in page(world).records] == left
    assert (info(world).ready, info(world).ack_floor) == (0, 6)
    world.crash()
    assert sorted(backlog(world).ledger.dead) == left


def test_who_chooses_nothing_means_nothing() -> None:
    world = dead_world()
    answer = world.answer(redrive(world, Choice()))
    assert isinstance(answer, Refusal)
    assert answer.name == "bad_request"


def test_redriven_records_live_again_once_that_is_on_disk() -> None:
    world = dead_world()
    world.run(world.core.queues.credit(e.SubscriptionKey(1, 1), 10, 0))
    request = redrive(world, Choice(reason="b"))
    assert not world.leasing
    world.now = 1.0
    world.sync()
    later(world, 0.0)
    assert world.answer(request) == Affected(3)
    lease = send(world)
    assert lease.runs == ((1, 2), (3, 4), (5, 6))
    assert (lease.failures, lease.crashes, lease.deliveries) == (0, 0, 0)
    settle(world, Verb.REJECT, (lease.lease_id, 1, 1), reason="again")
    (record,) = page(world, reason="again").records
    assert (record["offset"], record["replays"]) == (1, 1)


def test_a_rate_spreads_them() -> None:
    world = dead_world()
    world.now = 5.0
    redrive(world, ALL, rate=2)
    world.sync()
    later(world, 1.1)
    assert info(world).ready == len([5.0, 5.5, 6.0])


def test_pages() -> None:
    world = dead_world(300)
    first = page(world)
    assert (len(first.records), first.next_offset, first.more) == (256, 256, True)
    second = page(world, first.next_offset)
    assert (len(second.records), second.more) == (44, False)
    assert second.records[0]["reason"] == "a"
    assert page(world, 1000).records == []
    assert len(page(world, reason="b").records) == 150


def test_very_many_are_changed_in_steps_each_on_disk_before_the_next() -> None:
    world = dead_world(2500)
    request = discard(world, ALL)
    assert info(world).dead == 1500
    rounds = 0
    while world.answer(request) is None:
        world.prepare()
        world.sync_round(100)
        rounds += 1
    assert world.answer(request) == Affected(2500)
    assert rounds == 3
    assert info(world).dead == 0


def test_what_is_discarded_between_the_steps_is_not_redriven() -> None:
    world = dead_world(1500)
    request = redrive(world, ALL)
    discard(world, Choice([(1200, 1300)]))
    world.sync()
    world.sync()
    assert world.answer(request) == Affected(1400)


def delete_group(world: World) -> e.Request:
    close(world)
    return delete(world)


def delete_topic(world: World) -> e.Request:
    return world.execute(0, lambda r: world.core.delete_topic(r, "orders"))


@pytest.mark.parametrize("change", [redrive, discard])
def test_steps_end_with_their_group(change: Callable[[World, Choice], e.Request]) -> None:
    world = dead_world(1500)
    request = change(world, ALL)
    deleted = delete_group(world)
    world.sync()
    assert refusal(world, request) == "unknown_group"
    assert world.answer(deleted) == Done()


@pytest.mark.parametrize("change", [redrive, discard])
def test_steps_end_with_their_topic(change: Callable[[World, Choice], e.Request]) -> None:
    world = dead_world(1500)
    request = change(world, ALL)
    delete_topic(world)
    world.sync()
    assert refusal(world, request) == "unknown_topic"


def redrive_behind_a_seek(monkeypatch: pytest.MonkeyPatch) -> tuple[World, e.Request]:
    """A redrive of which a step has met a seek that goes on."""
    monkeypatch.setattr(ledger, "_FORGET_AT_ONCE", 2)
    world = dead_world(1500)
    request = redrive(world, ALL)
    groups = world.core.groups
    world.execute(0, lambda r: groups.seek(r, 1, GROUP, 0, start=Start("earliest"), now_us=0))
    world.prepare()
    world.sync_round(100)
    assert world.turns
    return world, request


def test_steps_behind_a_seek_wait_for_the_disk_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would else turn in circles for as long as the disk is full."""
    world, request = redrive_behind_a_seek(monkeypatch)
    world.turn()
    assert not world.turns
    while world.changed:
        world.sync()
        while world.turns:
            world.turn()
    assert world.answer(request) == Affected(1000)


@pytest.mark.parametrize("delete", [delete_group, delete_topic])
def test_steps_behind_a_seek_end_with_their_group(
    monkeypatch: pytest.MonkeyPatch, delete: Callable[[World], e.Request]
) -> None:
    """What a seek had still to forget is of no interest then, and nobody forgets it."""
    world, request = redrive_behind_a_seek(monkeypatch)
    delete(world)
    while world.turns:
        world.turn()
        world.sync()
    assert refusal(world, request) == "unknown_group"
    assert not world.turns


def test_steps_go_on_when_nobody_waits_for_them_any_more() -> None:
    world = dead_world(2500)
    discard(world, ALL)
    (step,) = [one for one in world.trace if isinstance(one, e.WhenDurable) and one.request]
    assert step.unasked is not None
    more = step.unasked()
    (last,) = [one for one in more if isinstance(one, e.WhenDurable)]
    assert last.request is None
    assert not [one for one in last.then() if isinstance(one, e.Reply | e.ReplyWhenDurable)]
    assert info(world).dead == 0
