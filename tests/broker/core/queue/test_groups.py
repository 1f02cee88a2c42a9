from typing import Any

import pytest

from tapemq_broker.core import effects as e
from tapemq_broker.core.group import Position
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.queue import groups as groups_module
from tapemq_broker.core.queue.entries import Head, head_key
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.queue.wish import Consume
from tapemq_broker.core.results import Done, GroupInfo
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
from tests.support.core.reading import data_log, groups_log, key, subscribe, wish
from tests.support.core.world import World


def alter(world: World, **settings: Any) -> e.Request:
    queues = world.core.queues
    return world.execute(0, lambda r: queues.alter(r, 1, GROUP, settings))


def test_a_group_is_made_on_all_partitions_before_that_is_answered() -> None:
    world = queue_world(3, partitions=2)
    request = consume(world, start="latest", max_attempts=3)
    assert world.answer(request) == Done()
    world.crash()
    for number in range(2):
        assert info(world, number).ack_floor == 3
        assert info(world, number).settings == {"max_attempts": 3}


def test_a_new_group_begins_with_the_first_record_that_there_is() -> None:
    world = queue_world(3)
    world.publish(data_log(), b"x")
    world.sync()
    world.run(world.core.truncate(data_log(), 3))
    consume(world)
    assert info(world).ack_floor == 3
    assert info(world).gone == 0


def test_settings_are_changed_everywhere_or_nowhere() -> None:
    world = queue_world(3, partitions=2)
    consume(world, max_attempts=3)
    request = alter(world, paused=True)
    world.sync()
    assert world.answer(request) == Done()
    assert refusal(world, alter(world, paused=5)) == "bad_request"
    assert refusal(world, alter(world, key_lanes=True)) == "bad_request"
    world.crash()
    assert info(world, 1).settings == {"max_attempts": 3, "paused": True}


def test_the_newest_settings_count_after_a_crash_in_between() -> None:
    world = queue_world(3, partitions=2)
    consume(world)
    alter(world, paused=True)
    second = 1 << list(world.states).index(groups_log(1))
    world.crash(second)
    assert [info(world, number).settings for number in range(2)] == [{"paused": True}] * 2
    world.crash()
    assert info(world, 0).settings == {"paused": True}


def test_what_is_still_to_be_written_goes_with_changed_settings() -> None:
    world = queue_world(3)
    consume(world)
    settle(world, Verb.REJECT, (send(world).lease_id, 0, 1))
    alter(world, paused=True)
    world.crash(255)
    assert (info(world).ack_floor, info(world).dead) == (1, 1)


def test_a_paused_group_goes_on_when_it_is_resumed() -> None:
    world = queue_world(3)
    consume(world, paused=True)
    assert not world.leasing
    alter(world, paused=False)
    assert len(world.leasing) == 1


def test_a_group_is_deleted_with_all_that_is_written_of_it() -> None:
    world = queue_world(5)
    consume(world)
    lease = send(world)
    settled(world, Verb.ACK, (lease.lease_id, 3, 1))
    settled(world, Verb.REJECT, (lease.lease_id, 2, 1))
    settle(world, Verb.NACK, (lease.lease_id, 1, 1))
    world.sync()
    settle(world, Verb.ACK, (lease.lease_id, 4, 1))
    assert refusal(world, delete(world)) == "group_busy"
    close(world)
    request = delete(world)
    world.sync()
    assert world.answer(request) == Done()
    assert world.states[groups_log()].entries() == {}
    assert refusal(world, delete(world)) == "unknown_group"
    world.now = 1e6
    world.run(world.core.tick(world.now, world.now_us))
    consume(world)
    assert info(world).ready + info(world).leased == 5


def test_very_many_entries_are_deleted_in_batches_of_which_each_fits() -> None:
    world = queue_world(10_000)
    consume(world, records=10_000)
    while world.leasing:
        lease = send(world)
        tokens = [(lease.lease_id, first, end - first) for first, end in lease.runs]
        settle(world, Verb.REJECT, *tokens)
    world.sync()
    assert info(world).dead == 10_000
    close(world)
    before = len(world.states[groups_log()].changes)
    request = delete(world)
    world.sync()
    batches = world.states[groups_log()].changes[before:]
    assert max(map(len, batches)) <= 4096
    assert world.answer(request) == Done()
    assert world.states[groups_log()].entries() == {}


def test_a_deletion_that_a_crash_has_cut_short_is_completed_by_the_next_start() -> None:
    """A new group of that name would else find dead records that are not its own."""
    world = queue_world(5)
    consume(world)
    lease = send(world)
    settle(world, Verb.REJECT, (lease.lease_id, 2, 1))
    settle(world, Verb.ACK, (lease.lease_id, 4, 1))
    world.sync()
    state = world.states[groups_log()]
    state.changes.append({head_key(GROUP): None})
    world.crash(survivors=-1)
    assert refusal(world, delete(world)) == "unknown_group"
    assert state.entries() == {}
    consume(world)
    assert info(world).dead == 0
    assert info(world).ready + info(world).leased == 5


def test_settings_wait_while_very_much_is_still_to_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(groups_module, "_ENTRIES_AT_ONCE", 2)
    world = queue_world(5)
    consume(world)
    lease = send(world)
    settle(world, Verb.REJECT, (lease.lease_id, 0, 5))
    assert refusal(world, alter(world, paused=True)) == "overloaded"
    world.sync()
    assert world.answer(alter(world, paused=True)) is None
    world.sync()
    assert info(world).settings["paused"]


def test_a_seek_takes_leases_back_and_begins_anew() -> None:
    world = queue_world(5)
    consume(world, records=3)
    lease = send(world)
    settled(world, Verb.ACK, (lease.lease_id, 1, 1))
    world.run(world.core.queues.credit(key(1), 9, 0))
    assert len(world.leasing) == 1
    world.leasing.clear()
    request = seek(world, Start("offset", 2))
    lost = [one for one in world.trace if isinstance(one, e.TakeBack)]
    assert [(one.tokens, one.reason) for one in lost] == [
        ([(lease.lease_id, 0, 1), (lease.lease_id, 2, 1)], "sought"),
        ([(lease.lease_id + 1, 3, 2)], "sought"),
    ]
    assert world.leasing.popleft().runs == ((2, 5),)
    world.sync()
    assert world.answer(request) == Done()
    world.crash()
    assert (info(world).ack_floor, info(world).ready) == (2, 3)


def test_a_group_is_described_as_groups_of_either_kind() -> None:
    world = queue_world(5)
    consume(world)
    settled(world, Verb.ACK, (send(world).lease_id, 0, 2))
    groups = world.core.groups
    request = world.execute(0, lambda r: groups.describe(r, 1, GROUP, 0))
    assert world.answer(request) == GroupInfo("queue", 2, 3, True, 0, 1, "", 0)
    assert refusal(world, world.execute(0, lambda r: groups.describe(r, 1, GROUP, 7))) == (
        "unknown_partition"
    )


def test_more_partitions_are_read_from_their_first_record_on() -> None:
    world = queue_world(5)
    consume(world, start="latest")
    topics = world.core.topics
    world.execute(0, lambda r: topics.alter(r, "orders", 2, {}))
    world.sync()
    world.publish(data_log(1), b"x")
    world.sync()
    assert send(world).log == data_log(1)
    world.crash()
    assert info(world, 1).ack_floor == 0


def test_a_group_that_a_crash_took_from_one_partition_begins_with_what_is_left_there() -> None:
    world = queue_world(0, partitions=2)
    for _ in range(3):
        world.publish(data_log(1), b"x")
    world.sync()
    world.run(world.core.truncate(data_log(1), 2))
    made = Consume(key(1), 1, GROUP, "c", Start("earliest"), 1, 1, {})
    world.execute(1, lambda r: world.core.queues.consume(r, made))
    world.crash(1 << list(world.states).index(groups_log(0)))
    assert (info(world, 1).ack_floor, info(world, 1).ready) == (2, 1)


def test_a_deleted_topic_ends_its_queues() -> None:
    world = queue_world(5)
    consume(world)
    lease = send(world)
    settle(world, Verb.NACK, (lease.lease_id, 0, 1))
    world.execute(0, lambda r: world.core.delete_topic(r, "orders"))
    (detach,) = [one for one in world.trace if isinstance(one, e.Detach)]
    assert (detach.key, detach.reason.name) == (key(1), "unknown_topic")
    assert key(1) not in world.core.queues
    assert world.core.topics.group_count == 0
    assert world.core.take_changes(groups_log()) == {}
    world.run(world.core.tick(1e6, int(1e12)))


def test_nothing_is_asked_for_a_deleted_group() -> None:
    world = queue_world(5)
    consume(world, key_lanes=True)
    asked = world.asking.popleft()
    keys: list[bytes | None] = [b"a"] * 5
    world.run(world.core.queues.keys_read(asked.log, asked.group, 0, keys))
    settle(world, Verb.NACK, (send(world).lease_id, 0, 1), delay_ms=0)
    world.publish(data_log(), b"x")
    close(world)
    delete(world)
    world.sync()
    assert not world.asking
    assert not world.leasing


def test_retention_waits_for_what_is_needed_or_counts_it() -> None:
    world = queue_world(0)
    for _ in range(8):
        world.publish(data_log(), b"x")
    consume(world, records=4)
    lease = send(world)
    settled(world, Verb.ACK, (lease.lease_id, 0, 2))
    world.run(world.core.truncate(data_log(), 6))
    assert world.logs[data_log()].first_offset == 2
    alter(world, hold=False)
    world.run(world.core.truncate(data_log(), 6))
    assert world.logs[data_log()].first_offset == 6
    (lost,) = [one for one in world.trace if isinstance(one, e.TakeBack)]
    assert (lost.tokens, lost.reason) == ([(lease.lease_id, 2, 2)], "gone")
    assert (info(world).gone, info(world).leased, info(world).ready) == (4, 0, 2)
    world.crash()
    assert info(world).ack_floor == 6


def test_a_group_is_of_one_kind_for_ever() -> None:
    world = queue_world(1)
    consume(world)
    assert refusal(world, subscribe(world, wish(2, group=GROUP))) == "bad_request"
    subscribe(world, wish(2, group="stream"))
    assert refusal(world, consume(world, 3, group="stream")) == "bad_request"


def test_groups_are_limited_over_both_kinds() -> None:
    world = World(World().limits._replace(groups=2))
    world.create_topic("orders")
    world.sync()
    consume(world, 1, group="a")
    subscribe(world, wish(2, group="b"))
    assert refusal(world, consume(world, 3, group="c")) == "bad_request"


def test_a_repaired_log_that_ends_earlier_is_read_from_its_end() -> None:
    world = queue_world(5)
    consume(world)
    settled(world, Verb.ACK, (send(world).lease_id, 0, 5))
    log = world.logs[data_log()]
    log.batches.clear()
    log.next_offset = log.durable_offset = 3
    world.crash()
    assert (info(world).ack_floor, info(world).ready) == (3, 0)


def test_damaged_partitions_are_left_alone() -> None:
    world = queue_world(5, partitions=2)
    consume(world)
    before = world.states[groups_log()].entries()
    world.damage[data_log()] = "rot"
    world.crash()
    assert list(world.core.topics.get(1).queue_groups[GROUP].backlogs) == [1]
    assert world.states[groups_log()].entries() == before
    assert refusal(world, alter(world, paused=True)) == "storage_failed"
    assert backlog(world, 1).ready == 5


@pytest.mark.parametrize("settings", [{"max_atempts": 3}, {"lease_ms": 1}])
def test_settings_that_cannot_be_make_no_group(settings: dict[str, Any]) -> None:
    world = queue_world(1)
    assert refusal(world, consume(world, **settings)) == "bad_request"
    assert not world.core.topics.get(1).queue_groups


def test_a_group_of_both_kinds_is_nonsense_and_nothing_of_it_is_taken() -> None:
    topic, other = b"new", {b"good": Position(0).encode(), GROUP.encode(): Position(0).encode()}
    world = queue_world()
    consume(world)
    with pytest.raises(BadEntry, match="elsewhere"):
        world.core.load_groups(1, 0, other)
    with pytest.raises(BadEntry):
        world.core.load_groups(1, 0, {b"good": Position(0).encode(), topic: b"nonsense"})
    assert "good" not in world.core.topics.get(1).groups
    world.core.load_groups(1, 0, {b"good": Position(0).encode()})
    with pytest.raises(BadEntry, match="elsewhere"):
        world.core.load_groups(1, 0, {b"good": Head(0, 0, 1, {}).encode()})


def test_very_many_groups_are_told_some_at_a_time_what_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many there are, of which each has to forget something."""
    monkeypatch.setattr(groups_module, "_GROUPS_AT_ONCE", 2)
    world = queue_world(20)
    names = [f"g{number}" for number in range(5)]
    for number, name in enumerate(names, 1):
        consume(world, number, group=name, records=0, hold=False)

    def floors() -> list[int]:
        groups = world.core.topics.get(1).queue_groups
        return [group.backlogs[0].ledger.settled.floor for group in groups.values()]

    world.run(world.core.truncated(data_log(), 4))
    assert floors() == [4, 4, 0, 0, 0]
    world.run(world.core.truncated(data_log(), 6))
    world.turn()
    assert floors() == [4, 4, 6, 6, 0]
    while world.turns:
        world.turn()
    assert floors() == [6] * 5
    world.run(world.core.truncated(data_log(), 8))
    close(world, 5)
    world.execute(0, lambda r: world.core.groups.delete(r, 1, names[4]))
    while world.turns:
        world.turn()
    world.sync()
    assert floors() == [8] * 4
    world.crash()
    assert floors() == [8] * 4


def test_a_group_that_gets_hold_before_it_is_told_what_is_gone_brings_none_of_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(groups_module, "_GROUPS_AT_ONCE", 1)
    world = queue_world(20)
    consume(world, 1, group="other", records=0, hold=False)
    consume(world, 2, records=0, hold=False)
    world.run(world.core.truncated(data_log(), 4))
    alter(world, hold=True)
    world.sync()
    assert world.core.topics.get(1).hold_offset(0) == 4
    world.crash()
    assert world.core.topics.get(1).hold_offset(0) == 4
