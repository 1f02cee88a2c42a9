from collections.abc import Callable

import pytest

from tapemq.batch import LogId
from tapemq_broker.core import effects as e
from tapemq_broker.core.group import Position
from tapemq_broker.core.queue.wish import Consume
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Done, GroupInfo, NamesPage
from tapemq_broker.core.start import Start
from tests.support.core.reading import assigned, data_log, groups_log, key, subscribe, wish
from tests.support.core.world import World

Command = Callable[[e.Request], e.Effects]


@pytest.fixture
def world() -> World:
    """Session 1 reads both partitions as "billing"; partition 0 has five records."""
    made = World()
    made.create_topic("orders", 2)
    made.publish(data_log(), *[b"%d" % number for number in range(5)])
    subscribe(made, wish(1, group="billing", member="a"))
    made.sync()
    return made


def commit(world: World, offset: int, generation: int, partition: int = 0) -> e.Request:
    groups = world.core.groups
    return world.execute(
        1,
        lambda request: groups.commit(
            request, 1, "billing", partition, generation=generation, offset=offset, now_us=77
        ),
    )


def seek(world: World, start: Start, partition: int = 0) -> e.Request:
    groups = world.core.groups
    return world.execute(
        1, lambda request: groups.seek(request, 1, "billing", partition, start=start, now_us=77)
    )


def refusal(world: World, request: e.Request) -> str:
    answer = world.answer(request)
    assert isinstance(answer, Refusal)
    return answer.name


def position(world: World, partition: int = 0) -> Position:
    """As the group log has it; the core has to agree."""
    at = world.core.topics.get(1).group("billing").positions[partition]
    assert Position.decode(world.states[groups_log(partition)].entries()[b"billing"]) == at
    return at


def test_commit_is_on_disk_before_it_is_done(world: World) -> None:
    request = commit(world, 3, assigned(world, 1)[0].generation)
    assert world.answer(request) is None
    assert position(world) == Position(3, 0, 77)
    world.sync()
    assert world.answer(request) == Done()


def test_commit_that_repeats_one_in_flight_waits_for_it(world: World) -> None:
    generation = assigned(world, 1)[0].generation
    commit(world, 3, generation)
    repeated = commit(world, 3, generation)
    lower = commit(world, 2, generation)
    assert world.answer(repeated) is world.answer(lower) is None
    world.sync()
    assert world.answer(repeated) == world.answer(lower) == Done()
    assert position(world).cursor == 3


def test_commit_beyond_what_is_visible(world: World) -> None:
    world.publish(data_log(), b"not on disk yet")
    generation = assigned(world, 1)[0].generation
    assert refusal(world, commit(world, 6, generation)) == "offset_out_of_range"
    assert position(world) == Position(0)


def test_commit_of_who_holds_nothing(world: World) -> None:
    generations = assigned(world, 1)
    for generation in (0, generations[1].generation, generations[0].generation + 99):
        assert refusal(world, commit(world, 1, generation)) == "fenced"
    world.run(world.core.streams.session_closed(1, 0.0))
    assert refusal(world, commit(world, 1, generations[0].generation)) == "fenced"
    commit(world, 1, 0)
    assert position(world).cursor == 1


def test_seek_fences_the_member_and_assigns_it_anew(world: World) -> None:
    before = assigned(world, 1)[0]
    commit(world, 4, before.generation)
    world.trace.clear()
    request = seek(world, Start("offset", 2))
    kinds = [type(item).__name__ for item in world.trace]
    assert kinds == ["PutState", "Assign", "Deliver", "ReplyWhenDurable"]
    after = assigned(world, 1)[0]
    assert (after.offset, after.seek_epoch) == (2, 1)
    assert after.generation > before.generation
    assert refusal(world, commit(world, 5, before.generation)) == "fenced"
    assert position(world) == Position(2, 1, 77)
    world.sync()
    assert world.answer(request) == Done()


def test_seek_while_revoking_cannot_be_undone(world: World) -> None:
    held = assigned(world, 1)[1]
    world.publish(data_log(1), b"a", b"b")
    world.sync()
    subscribe(world, wish(2, group="billing"))
    seek(world, Start("earliest"), partition=1)
    assert assigned(world, 2)[1].offset == 0
    assert refusal(world, commit(world, 2, held.generation, partition=1)) == "fenced"
    assert position(world, 1).cursor == 0


def test_all_that_is_on_disk_may_be_committed(world: World) -> None:
    commit(world, 5, assigned(world, 1)[0].generation)
    assert position(world).cursor == 5


def test_seek_that_is_refused_changes_nothing(world: World) -> None:
    before = assigned(world, 1)[0]
    assert refusal(world, seek(world, Start("offset", 6))) == "offset_out_of_range"
    assert refusal(world, seek(world, Start("soon"))) == "bad_request"
    assert refusal(world, seek(world, Start("latest"), partition=2)) == "unknown_partition"
    assert position(world) == Position(0)
    assert assigned(world, 1)[0] == before


def test_seek_never_goes_beyond_the_disk(world: World) -> None:
    world.publish(data_log(), b"not on disk yet")
    seek(world, Start("offset", 6))
    assert position(world).cursor == 5


def test_describe(world: World) -> None:
    groups = world.core.groups
    generation = assigned(world, 1)[0].generation
    commit(world, 2, generation)
    request = world.execute(1, lambda request: groups.describe(request, 1, "billing", 0))
    assert world.answer(request) == GroupInfo("stream", 2, 3, False, generation, 1, "a", 77)
    world.run(world.core.streams.session_closed(1, 0.0))
    world.publish(data_log(), b"5")
    world.sync()
    world.run(world.core.truncate(data_log(), 5))
    request = world.execute(1, lambda request: groups.describe(request, 1, "billing", 0))
    assert world.answer(request) == GroupInfo("stream", 2, 1, False, 0, 0, "", 77)


def test_names(world: World) -> None:
    groups = world.core.groups
    subscribe(world, wish(2, group="auditing"))
    request = world.execute(1, lambda request: groups.names(request, 1, ""))
    assert world.answer(request) == NamesPage(["auditing", "billing"], False)


def test_alter_is_on_disk_everywhere_before_it_is_done(world: World) -> None:
    groups = world.core.groups
    request = world.execute(1, lambda request: groups.alter(request, 1, "billing", hold=True))
    again = world.execute(1, lambda request: groups.alter(request, 1, "billing", hold=True))
    assert position(world, 0).hold
    assert position(world, 1).hold
    assert world.answer(request) is world.answer(again) is None
    world.sync()
    assert world.answer(request) == world.answer(again) == Done()


def test_delete_forgets_everywhere(world: World) -> None:
    groups = world.core.groups

    def delete(request: e.Request) -> e.Effects:
        return groups.delete(request, 1, "billing")

    assert refusal(world, world.execute(1, delete)) == "group_busy"
    world.run(world.core.streams.session_closed(1, 0.0))
    request = world.execute(1, delete)
    assert world.answer(request) is None
    world.sync()
    assert world.answer(request) == Done()
    world.crash()
    assert world.core.topics.get(1).groups == {}
    assert refusal(
        world, world.execute(1, lambda r: world.core.groups.delete(r, 1, "billing"))
    ) == ("unknown_group")


@pytest.mark.parametrize(
    "command",
    [
        lambda groups, request: groups.commit(
            request, 1, "billing", 0, generation=0, offset=1, now_us=1
        ),
        lambda groups, request: groups.seek(
            request, 1, "billing", 0, start=Start("earliest"), now_us=1
        ),
        lambda groups, request: groups.describe(request, 1, "billing", 0),
        lambda groups, request: groups.alter(request, 1, "billing", hold=True),
        lambda groups, request: groups.delete(request, 1, "billing"),
    ],
    ids=["commit", "seek", "describe", "alter", "delete"],
)
@pytest.mark.parametrize("damaged", [data_log(), groups_log()], ids=["records", "groups"])
def test_damaged_partition(world: World, command: Callable[..., e.Effects], damaged: LogId) -> None:
    world.damage[damaged] = "rot at byte 9"
    world.crash()
    before = dict(world.states)
    request = world.execute(1, lambda request: command(world.core.groups, request))
    assert refusal(world, request) == "storage_failed"
    assert world.states == before
    subscribe(world, wish(2, group="billing"))
    assert key(2) in world.core.topics.get(1).group("billing").members


@pytest.mark.parametrize("name", ["seek", "describe"])
def test_a_queue_group_cannot_be_used_where_its_log_is_damaged(world: World, name: str) -> None:
    """Nor does the attempt end the broker."""
    queue_wish = Consume(key(2), 1, "g", "c", Start("earliest"), 0, 0, {})
    world.execute(2, lambda r: world.core.queues.consume(r, queue_wish))
    world.sync()
    world.damage[groups_log()] = "rot at byte 9"
    world.crash()

    def command(request: e.Request) -> e.Effects:
        groups = world.core.groups
        if name == "seek":
            return groups.seek(request, 1, "g", 0, start=Start("earliest"), now_us=1)
        return groups.describe(request, 1, "g", 0)

    assert refusal(world, world.execute(1, command)) == "storage_failed"


def test_hold_of_a_queue_group_is_altered_as_that_of_others(world: World) -> None:
    queue_wish = Consume(key(2), 1, "g", "c", Start("earliest"), 0, 0, {})
    world.execute(2, lambda r: world.core.queues.consume(r, queue_wish))
    request = world.execute(1, lambda r: world.core.groups.alter(r, 1, "g", hold=True))
    world.sync()
    assert world.answer(request) == Done()
    assert world.core.topics.get(1).hold_offset(0) == 0


@pytest.mark.parametrize("survivors", range(8))
@pytest.mark.parametrize("old", ["stream", "queue"])
@pytest.mark.parametrize("new", ["stream", "queue"])
def test_a_name_is_free_when_no_crash_can_bring_its_group_back(
    world: World, survivors: int, old: str, new: str
) -> None:
    """Else the one log could have the old group, and the other one the new."""
    core = world.core

    def make(kind: str) -> e.Request:
        if kind == "stream":
            return subscribe(world, wish(2, group="g"))
        queue_wish = Consume(key(2), 1, "g", "c", Start("earliest"), 0, 0, {})
        return world.execute(2, lambda r: core.queues.consume(r, queue_wish))

    make(old)
    world.sync()
    world.run(core.streams.session_closed(2, world.now))
    world.run(core.queues.session_closed(2, world.now_us))
    world.sync()
    deleted = world.execute(1, lambda r: core.groups.delete(r, 1, "g"))
    assert world.answer(deleted) is None
    for other in ("stream", "queue"):
        assert refusal(world, make(other)) == "overloaded"
    if survivors:
        world.crash(survivors)
        return
    world.sync()
    assert world.answer(deleted) == Done()
    made = make(new)
    world.sync()
    assert world.answer(made) == Done()
