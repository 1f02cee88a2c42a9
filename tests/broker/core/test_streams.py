import pytest

from tapemq_broker.core.effects import (
    Assign,
    Deliver,
    Detach,
    Effects,
    PutState,
    Reply,
    ReplyWhenDurable,
    Revoke,
)
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Done
from tapemq_broker.core.streams import Subscribe
from tests.support.core.reading import assigned, data_log, groups_log, key, subscribe, wish
from tests.support.core.world import World


@pytest.fixture
def world() -> World:
    """A topic with two partitions; partition 0 has ten records in batches of two."""
    made = World()
    made.create_topic("orders", 2)
    for number in range(5):
        made.publish(data_log(), b"%d" % (2 * number), b"%d" % (2 * number + 1))
    made.sync()
    made.trace.clear()
    return made


def kinds(effects: list[object]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def refused(world: World, wanted: Subscribe) -> str:
    before = len(world.core.streams)
    answer = world.answer(subscribe(world, wanted))
    assert isinstance(answer, Refusal)
    assert len(world.core.streams) == before
    return answer.name


def test_reader_gets_all_from_where_it_wants(world: World) -> None:
    request = subscribe(world, wish(1, start="offset", value=3, partitions=(0,)))
    assert world.answer(request) == Done()
    assert assigned(world, 1)[0].offset == 3
    sent = world.deliver()
    assert sent is not None
    assert [offset for offset, _ in sent.chunk.records] == [3, 4, 5, 6, 7, 8, 9]
    world.publish(data_log(), b"new")
    assert not world.reading
    world.sync()
    sent = world.deliver()
    assert sent is not None
    assert sent.chunk.records == [(10, b"new")]


def test_partition_named_twice_is_read_once(world: World) -> None:
    subscribe(world, wish(1, partitions=(0, 0)))
    assert kinds(world.trace) == ["Reply", "Answered", "Assign", "Deliver"]


def test_new_group_is_on_disk_before_it_is_said_to_be(world: World) -> None:
    request = subscribe(world, wish(1, group="billing"))
    assert kinds(world.trace) == [
        *("PutState", "PutState", "Assign", "Deliver", "Assign", "ReplyWhenDurable"),
    ]
    assert world.answer(request) is None
    world.sync()
    assert world.answer(request) == Done()


def test_hold_is_on_disk_before_it_is_said_to_be(world: World) -> None:
    subscribe(world, wish(1, group="billing"))
    world.trace.clear()
    request = subscribe(world, wish(2, group="billing", hold=True))
    assert kinds(world.trace) == ["PutState", "PutState", "Revoke", "ReplyWhenDurable"]
    other = subscribe(world, wish(3, group="billing", hold=True))
    assert world.answer(request) is world.answer(other) is None
    world.sync()
    assert world.answer(request) == world.answer(other) == Done()


def test_known_group_needs_no_disk(world: World) -> None:
    subscribe(world, wish(1, group="billing"))
    request = subscribe(world, wish(2, group="billing"))
    assert world.answer(request) == Done()


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (wish(1, topic_id=9), "stale_metadata"),
        (wish(1, partitions=(2,)), "unknown_partition"),
        (wish(1, start="offset", value=11, partitions=(0,)), "offset_out_of_range"),
        (wish(1, start="offset", value=1), "offset_out_of_range"),
        (wish(1, start="soon"), "bad_request"),
        (wish(1, hold=True), "bad_request"),
        (wish(1, group="billing", partitions=(0,)), "bad_request"),
        (wish(1, group="billing", start="offset", value=11), "offset_out_of_range"),
        (wish(1, group="other", subscription=7), "bad_request"),
        (wish(1, subscription=7), "bad_request"),
    ],
)
def test_refused_subscription_changes_nothing(world: World, wanted: Subscribe, name: str) -> None:
    subscribe(world, wish(1, group="known", member="a", subscription=7))
    groups = list(world.core.topics.get(1).groups)
    assert refused(world, wanted) == name
    assert list(world.core.topics.get(1).groups) == groups


def test_second_try_of_the_same_member_is_answered(world: World) -> None:
    wanted = wish(1, group="billing", member="a")
    subscribe(world, wanted)
    assert world.answer(subscribe(world, wanted)) == Done()
    assert refused(world, wish(1, group="billing", member="b")) == "bad_request"
    assert refused(world, wish(1, group="auditing", member="a")) == "bad_request"


def test_credit_goes_round(world: World) -> None:
    world.publish(data_log(1), b"other")
    world.sync()
    subscribe(world, wish(1, records=3))
    sent = world.deliver()
    assert sent is not None
    assert [offset for offset, _ in sent.chunk.records] == [0, 1, 2, 3]
    assert not world.reading
    world.run(world.core.streams.credit(key(1), 1, 0))
    assert not world.reading
    world.run(world.core.streams.credit(key(1), 1, 0))
    assert world.reading[0].log == data_log(1)


def test_what_is_said_of_nobody_is_void(world: World) -> None:
    streams = world.core.streams
    assert streams.credit(key(9), 1, 1) == []
    assert streams.delivered(key(9), 0, 1, next_offset=1, records=1, size_bytes=1) == []
    assert streams.undeliverable(key(9), 0, 1, Refusal("storage_failed", "rot")) == []
    assert streams.session_closed(9, 0.0) == []
    assert not streams.is_wanted(Deliver(key(9), data_log(), 1, 0, 1, 1))


def test_damage_ends_one_reader_and_lets_the_others_go_on(world: World) -> None:
    world.publish(data_log(1), b"other")
    world.sync()
    subscribe(world, wish(1))
    wanted = world.reading.popleft()
    reason = Refusal("storage_failed", "rot")
    streams = world.core.streams
    assert streams.undeliverable(key(1), 0, wanted.generation + 9, reason) == []
    effects = streams.undeliverable(key(1), 0, wanted.generation, reason)
    assert effects[0] == Detach(key(1), 0, wanted.generation, reason)
    assert isinstance(effects[1], Deliver)
    assert effects[1].log == data_log(1)
    world.publish(data_log(), b"more")
    world.trace.clear()
    world.sync()
    assert not any(isinstance(item, Deliver) for item in world.trace)


def test_delivery_is_void_once_its_reader_is_gone(world: World) -> None:
    subscribe(world, wish(1))
    wanted = world.reading[0]
    assert world.core.streams.is_wanted(wanted)
    world.execute(1, lambda request: world.core.streams.unsubscribe(request, key(1), 0.0))
    assert not world.core.streams.is_wanted(wanted)
    assert world.deliver() is None


def test_unsubscribed_is_answered_last(world: World) -> None:
    subscribe(world, wish(1, group="billing"))
    subscribe(world, wish(2, group="billing"))
    world.trace.clear()
    request = world.execute(1, lambda r: world.core.streams.unsubscribe(r, key(1), 0.0))
    assert kinds(world.trace) == ["Assign", "Deliver", "Assign", "Reply", "Answered"]
    assert world.answer(request) == Done()
    again = world.execute(1, lambda r: world.core.streams.unsubscribe(r, key(1), 0.0))
    answer = world.answer(again)
    assert isinstance(answer, Refusal)
    assert answer.name == "unknown_subscription"


def test_closed_session_leaves_at_once_with_all_it_had(world: World) -> None:
    for number in (1, 2):
        subscribe(world, wish(1, group="billing", subscription=number))
    subscribe(world, wish(1, subscription=3))
    subscribe(world, wish(2, group="billing"))
    assert world.core.streams.count(1) == 3
    world.trace.clear()
    world.run(world.core.streams.session_closed(1, 0.0))
    assert all(item.key == key(2) for item in world.trace if isinstance(item, Assign))
    assert kinds(world.trace) == ["Assign", "Deliver", "Assign"]
    assert (world.core.streams.count(1), len(world.core.streams)) == (0, 1)


def test_release_is_the_owners(world: World) -> None:
    subscribe(world, wish(1, group="billing"))
    subscribe(world, wish(2, group="billing"))
    held = assigned(world, 1)
    streams = world.core.streams
    for session, partition, generation in ((2, 1, held[1].generation), (1, 1, 0), (1, 7, 1)):
        request = world.execute(
            session,
            lambda r, s=session, p=partition, g=generation: streams.release(  # type: ignore[misc]
                r, key(s), p, g, 0.0
            ),
        )
        answer = world.answer(request)
        assert isinstance(answer, Refusal)
        assert answer.name == "fenced"
    world.trace.clear()
    world.execute(1, lambda r: streams.release(r, key(1), 1, held[1].generation, 0.0))
    assert kinds(world.trace) == ["Reply", "Answered", "Assign"]


def test_deleted_topic_ends_every_subscription_once(world: World) -> None:
    world.create_topic("shipments")
    subscribe(world, wish(1, group="billing"))
    subscribe(world, wish(2))
    subscribe(world, wish(3, topic_id=2))
    topic = world.core.topics.get(1)
    gone = Refusal("unknown_topic", "topic 'orders' was deleted")
    assert world.core.streams.topic_deleted(topic) == [
        Detach(key(1), 0, 0, gone),
        Detach(key(2), 0, 0, gone),
    ]
    assert len(world.core.streams) == 1
    assert world.core.streams.readers(data_log()) == []
    assert world.core.streams.visible(data_log(), [key(1)]) == []


def test_new_partitions_go_to_members_and_to_who_reads_all(world: World) -> None:
    subscribe(world, wish(1))
    subscribe(world, wish(2, partitions=(0, 1)))
    subscribe(world, wish(3, group="billing"))
    world.trace.clear()
    world.execute(0, lambda request: world.core.topics.alter(request, "orders", 3, {}))
    assigns = [item for item in world.trace if isinstance(item, Assign)]
    assert [(item.key, item.partition, item.offset) for item in assigns] == [
        (key(3), 2, 0),
        (key(1), 2, 0),
    ]
    world.publish(data_log(2), b"first")
    world.sync()
    readers = {wanted.key for wanted in world.reading if wanted.log == data_log(2)}
    assert readers <= {key(1), key(3)}


def test_visible_goes_to_all_who_wait(world: World) -> None:
    for session in (1, 2):
        subscribe(world, wish(session, start="latest"))
    world.publish(data_log(), b"new")
    world.core.durable_upto(data_log(), 11)
    readers = world.core.streams.readers(data_log())
    assert readers == [key(1), key(2)]
    for reader in [key(3), *readers]:
        effects = world.core.streams.visible(data_log(), [reader])
        assert [wanted.key for wanted in delivers(effects)] == [reader] * (reader != key(3))


def delivers(effects: Effects) -> list[Deliver]:
    return [effect for effect in effects if isinstance(effect, Deliver)]


def test_answers_that_need_the_disk_are_typed_so(world: World) -> None:
    subscribe(world, wish(1, group="billing", hold=True))
    changed = False
    for item in world.trace:
        changed = changed or isinstance(item, PutState)
        assert not (changed and isinstance(item, Reply))
    last = world.trace[-1]
    assert isinstance(last, ReplyWhenDurable)
    assert last.log == groups_log(1)


def test_revoked_is_told_and_not_served(world: World) -> None:
    subscribe(world, wish(1, group="billing"))
    world.trace.clear()
    subscribe(world, wish(2, group="billing"))
    revokes = [item for item in world.trace if isinstance(item, Revoke)]
    assert [(revoke.key, revoke.partition) for revoke in revokes] == [(key(1), 1)]
    world.publish(data_log(1), b"late")
    world.sync()
    assert all(wanted.log == data_log(0) for wanted in world.reading)
