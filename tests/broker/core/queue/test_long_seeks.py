"""Seeks that have so much to forget that they take many rounds of syncs."""

import pytest

from tapemq_broker.core import effects as e
from tapemq_broker.core.queue import ledger
from tapemq_broker.core.queue.dead_letters import Choice
from tapemq_broker.core.queue.entries import dead_key, head_key
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.results import Done
from tapemq_broker.core.start import Start
from tests.support.core.queueing import (
    GROUP,
    backlog,
    close,
    consume,
    delete,
    info,
    queue_world,
    refusal,
    seek,
    send,
    settle,
    settled,
)
from tests.support.core.reading import groups_log
from tests.support.core.world import World


def much_trouble(monkeypatch: pytest.MonkeyPatch) -> World:
    """Records 0 and 5 to 7 are dead, 1 to 3 have failed, 4 is settled; 8 is there, too."""
    monkeypatch.setattr(ledger, "_FORGET_AT_ONCE", 2)
    world = queue_world(9)
    consume(world)
    number = send(world).lease_id
    settle(world, Verb.NACK, (number, 1, 3))
    settle(world, Verb.ACK, (number, 4, 1))
    settled(world, Verb.REJECT, (number, 0, 1), (number, 5, 3))
    return world


def keys(world: World) -> set[bytes]:
    return set(world.states[groups_log()].entries())


def test_of_very_much_a_seek_forgets_some_before_each_round_of_syncs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = much_trouble(monkeypatch)
    known = len(keys(world))
    request = seek(world, Start("offset", 1))
    for _ in range(3):
        assert (info(world).dead, info(world).retrying, info(world).ready) == (1, 0, 8)
        assert not world.leasing
        world.prepare()
        assert known - 3 <= len(keys(world)) < known
        known = len(keys(world))
        assert world.answer(request) is None
        world.sync()
    while world.answer(request) is None:
        world.sync()
    assert world.answer(request) == Done()
    assert keys(world) == {head_key(GROUP), dead_key(GROUP, 0)}
    assert world.leasing.popleft().runs == ((1, 9),)
    world.crash()
    assert (info(world).dead, info(world).ready, info(world).ack_floor) == (1, 8, 1)


@pytest.mark.parametrize("rounds", range(6))
def test_a_seek_that_a_crash_cut_short_is_completed(
    monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    world = much_trouble(monkeypatch)
    seek(world, Start("earliest"))
    for _ in range(rounds):
        round_of_syncs(world)
    world.prepare()
    world.crash(255)
    while world.changed:
        world.sync()
    assert (info(world).dead, info(world).retrying, info(world).ready) == (0, 0, 9)
    assert keys(world) == {head_key(GROUP)}
    consume(world)
    assert world.leasing.popleft().runs == ((0, 9),)


def round_of_syncs(world: World) -> None:
    """One, however much follows from it."""
    world.prepare()
    state = world.states[groups_log()]
    if state.durable_offset < len(state.changes):
        world.durable(groups_log(), len(state.changes))


def test_while_a_seek_goes_on_another_one_may_come_but_no_redrive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = much_trouble(monkeypatch)
    first = seek(world, Start("offset", 6))
    queues = world.core.queues
    redrive = world.execute(
        0, lambda r: queues.redrive(r, 1, GROUP, 0, Choice(every=True), now_us=0)
    )
    assert refusal(world, redrive) == "group_busy"
    second = seek(world, Start("offset", 3))
    while world.changed:
        world.sync()
    assert (world.answer(first), world.answer(second)) == (Done(), Done())
    assert (info(world).dead, info(world).ready + info(world).leased) == (1, 6)
    assert keys(world) == {head_key(GROUP), dead_key(GROUP, 0)}


def test_a_seek_that_nobody_waits_for_any_more_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = much_trouble(monkeypatch)
    request = seek(world, Start("earliest"))
    rounds = 0
    effects: e.Effects = []
    while backlog(world).ledger.purge_from is not None:
        (step,) = [one for one in effects or world.trace if isinstance(one, e.WhenDurable)][-1:]
        assert step.request == (None if rounds else request)
        effects = (step.unasked or step.then)()
        rounds += 1
    assert rounds > 1
    assert not [one for one in effects if isinstance(one, e.ReplyWhenDurable)]


def test_a_topic_that_is_deleted_while_a_seek_goes_on_refuses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = much_trouble(monkeypatch)
    request = seek(world, Start("earliest"))
    world.execute(0, lambda r: world.core.delete_topic(r, "orders"))
    assert refusal(world, request) == "unknown_topic"


def test_a_group_may_be_deleted_while_a_seek_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = much_trouble(monkeypatch)
    close(world)
    first = seek(world, Start("earliest"))
    second = delete(world)
    while world.changed:
        world.sync()
    assert (world.answer(first), world.answer(second)) == (Done(), Done())
    assert keys(world) == set()
