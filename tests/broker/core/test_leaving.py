"""The end of a group, with a crash anywhere in it."""

import pytest

from tapemq_broker.core import effects as e
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Done
from tapemq_broker.core.topics import CATALOG
from tests.support.core.queueing import GROUP, close, consume, queue_world, send, settle
from tests.support.core.reading import groups_log, subscribe, wish
from tests.support.core.world import World

PARTITIONS = 3
RECORDS = 4
ALL_LOGS = range(1 << PARTITIONS + 1)
"""What a crash may happen to keep: the catalog, and the logs of groups."""


def world_with(kind: str) -> World:
    """A group that has handled all records of three partitions, and has no members any more."""
    world = queue_world(RECORDS, PARTITIONS)
    if kind == "queue":
        consume(world)
        while world.leasing:
            lease = send(world)
            settle(world, Verb.ACK, *[(lease.lease_id, a, b - a) for a, b in lease.runs])
        close(world)
    else:
        subscribe(world, wish(1, group=GROUP))
        world.run(world.core.streams.session_closed(1, 0.0))
        world.sync()
        for number in range(PARTITIONS):
            commit(world, number)
    world.sync()
    world.journal.clear()
    assert handled(world) == [RECORDS] * PARTITIONS
    return world


def commit(world: World, number: int) -> None:
    groups = world.core.groups
    world.execute(
        1,
        lambda r: groups.commit(r, 1, GROUP, number, generation=0, offset=RECORDS, now_us=1),
    )


def handled(world: World) -> list[int]:
    """Up to where the group has handled each partition; nothing if there is no group."""
    topic = world.core.topics.get(1)
    if GROUP in topic.groups:
        return [at.cursor for _, at in sorted(topic.groups[GROUP].positions.items())]
    if GROUP in topic.queue_groups:
        backlogs = sorted(topic.queue_groups[GROUP].backlogs.items())
        return [backlog.ledger.settled.floor for _, backlog in backlogs]
    return []


def delete(world: World) -> e.Request:
    return world.execute(2, lambda r: world.core.groups.delete(r, 1, GROUP))


def of_group(world: World) -> list[bytes]:
    """What any log says of the group."""
    logs = [CATALOG, *map(groups_log, range(PARTITIONS))]
    return [key for log in logs for key in world.states[log].entries() if GROUP.encode() in key]


@pytest.mark.parametrize("kind", ["stream", "queue"])
@pytest.mark.parametrize("rounds", range(6))
def test_a_crash_leaves_a_group_on_all_partitions_or_on_none(kind: str, rounds: int) -> None:
    """Else it would begin anew on some of them, and get again what it has confirmed."""
    for survivors in ALL_LOGS:
        world = world_with(kind)
        delete(world)
        for _ in range(rounds):
            world.sync_round(1)
        world.crash(survivors)
        assert handled(world) in ([], [RECORDS] * PARTITIONS)
        if not handled(world):
            assert of_group(world) == []
        before = handled(world)
        world.crash()
        assert handled(world) == before


@pytest.mark.parametrize("kind", ["stream", "queue"])
def test_a_group_is_gone_when_that_is_answered(kind: str) -> None:
    world = world_with(kind)
    deleted = delete(world)
    while world.journal:
        assert world.answer(deleted) is None
        world.sync_round(1)
    assert world.answer(deleted) == Done()
    assert of_group(world) == []
    subscribe(world, wish(3, group=GROUP))
    world.sync()
    world.crash()
    assert handled(world) == [0] * PARTITIONS


def test_what_is_left_on_a_damaged_partition_is_removed_when_it_is_repaired() -> None:
    world = world_with("stream")
    delete(world)
    world.sync_round(1)
    world.damage[groups_log(1)] = "rot at byte 9"
    for _ in range(2):
        world.crash()
        assert handled(world) == []
        refused = world.answer(subscribe(world, wish(3, group=GROUP)))
        assert isinstance(refused, Refusal)
        assert refused.text == "rot at byte 9"
    world.damage.clear()
    world.crash()
    assert of_group(world) == []
    subscribe(world, wish(3, group=GROUP))
    assert handled(world) == [0] * PARTITIONS


@pytest.mark.parametrize("rounds", range(5))
@pytest.mark.parametrize("kind", ["stream", "queue"])
def test_a_topic_that_is_deleted_meanwhile(kind: str, rounds: int) -> None:
    world = world_with(kind)
    deleted = delete(world)
    for _ in range(rounds):
        world.sync_round(1)
    world.execute(2, lambda r: world.core.delete_topic(r, "orders"))
    world.sync()
    answer = world.answer(deleted)
    assert answer == Done() or (isinstance(answer, Refusal) and answer.name == "unknown_topic")
    assert not [key for key in world.states[CATALOG].entries() if key.startswith(b"leaving/")]


def test_a_partition_that_comes_meanwhile() -> None:
    """Nothing is in its log, so that is on disk before the others."""
    world = world_with("stream")
    delete(world)
    topics = world.core.topics
    world.execute(2, lambda r: topics.alter(r, "orders", PARTITIONS + 1, {}))
    world.durable(CATALOG, len(world.states[CATALOG].changes))
    world.crash()
    assert handled(world) == []


def test_settlements_that_were_confirmed_meanwhile_are_kept_if_the_group_comes_back() -> None:
    world = queue_world(1)
    consume(world)
    lease = send(world)
    acked = settle(world, Verb.ACK, (lease.lease_id, 0, 1))
    close(world)
    delete(world)
    world.prepare()
    log = groups_log()
    world.durable(log, len(world.states[log].changes))
    assert world.answer(acked) is not None
    world.crash()
    assert handled(world) == [1]
