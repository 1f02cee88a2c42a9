import pytest

from tapemq_broker.core import effects as e
from tapemq_broker.core.queue import chores
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Done
from tapemq_broker.core.start import Start
from tests.support.core.queueing import (
    GROUP,
    consume,
    info,
    queue_world,
    send,
)
from tests.support.core.reading import key
from tests.support.core.world import World


def scattered(records: int, *, more: int = 0, single_active: bool = False) -> World:
    """A consumer holds so many leases of one record each; another one waits, and has credit."""
    world = queue_world(records + more)
    if single_active:
        consume(world, 1, records=0, single_active=True)
    else:
        consume(world, 1, records=0)
    for _ in range(records):
        world.run(world.core.queues.credit(key(1), 1, 0))
        send(world)
    consume(world, 2)
    while world.leasing:
        send(world)
    return world


def close(world: World) -> None:
    world.run(world.core.queues.session_closed(1, world.now_us))


@pytest.fixture(autouse=True)
def _little_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "RUNS_AT_ONCE", 8)


def test_what_was_held_comes_back_little_by_little() -> None:
    world = scattered(5)
    assert (info(world).leased, info(world).consumers) == (5, 2)
    close(world)
    assert len(world.core.queues) == 1
    taken: list[int] = []
    for turns in (1, 1, 0):
        assert len(world.turns) == turns
        while world.leasing:
            taken += [o for first, end in send(world).runs for o in range(first, end)]
        if turns:
            world.turn()
    assert taken == [0, 1, 2, 3, 4]
    assert (info(world).leased, info(world).consumers) == (5, 1)


def test_what_had_begun_has_crashed_whenever_its_turn_is() -> None:
    world = scattered(5)
    lease_ids = list(world.core.topics.get(1).queue_groups[GROUP].backlogs[0].leases)
    world.core.queues.started(key(1), [(lease_ids[0], 0, 1), (lease_ids[4], 4, 1)])
    close(world)
    assert info(world).crashed == 1
    world.turn()
    world.turn()
    assert info(world).crashed == 2


def test_the_next_single_active_one_waits_until_all_is_back() -> None:
    world = scattered(5, more=2, single_active=True)
    close(world)
    assert not world.leasing
    world.turn()
    assert not world.leasing
    world.turn()
    assert send(world).runs == ((0, 5),)
    assert send(world).runs == ((5, 7),)


def test_a_seek_leaves_nothing_to_come_back() -> None:
    world = scattered(5)
    close(world)
    queues, groups = world.core.queues, world.core.groups
    start = Start("earliest")
    world.execute(0, lambda r: groups.seek(r, 1, GROUP, 0, start=start, now_us=0))
    world.sync()
    while world.turns:
        world.turn()
    assert len(queues) == 1
    assert info(world).consumers == 1
    assert info(world).leased == 5


def test_a_topic_is_deleted_while_things_come_back() -> None:
    world = scattered(5)
    close(world)
    request = world.execute(0, lambda r: world.core.delete_topic(r, "orders"))
    world.sync()
    world.turn()
    world.turn()
    assert world.answer(request) == Done()
    assert len(world.core.queues) == 0


def test_who_is_gone_gets_nothing_though_it_had_credit() -> None:
    world = scattered(5)
    world.run(world.core.queues.credit(key(1), 9, 0))
    world.run(world.core.queues.credit(key(2), -1000, 0))
    close(world)
    assert not world.leasing
    world.turn()
    world.turn()
    assert (info(world).consumers, info(world).leased) == (1, 0)


def cancel(world: World) -> e.Request:
    queues = world.core.queues
    return world.execute(1, lambda r: queues.cancel(r, key(1)))


def test_who_leaves_in_peace_is_answered_when_all_is_given_back() -> None:
    world = scattered(5)
    request = cancel(world)
    assert (info(world).consumers, world.answer(request)) == (2, None)
    world.run(world.core.queues.credit(key(1), 9, 9))
    again = world.answer(cancel(world))
    assert isinstance(again, Refusal)
    assert again.name == "unknown_subscription"
    while world.turns:
        world.turn()
        while world.leasing:
            assert send(world).key == key(2)
    assert (info(world).consumers, info(world).leased) == (1, 5)
    assert (info(world).crashed, world.answer(request)) == (0, Done())


def test_a_connection_breaks_while_a_consumer_leaves() -> None:
    world = scattered(5)
    cancel(world)
    close(world)
    while world.turns:
        world.turn()
    assert (info(world).consumers, len(world.core.queues)) == (1, 1)
