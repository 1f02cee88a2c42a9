from collections.abc import Callable

import pytest

from tapemq.batch import LogId, checksum
from tapemq_broker.core.broker import Broker
from tapemq_broker.core.effects import (
    Append,
    Assign,
    Detach,
    PrepareTopic,
    PutState,
    Reconfigure,
    RemoveTopic,
    Reply,
    ReplyWhenDurable,
    Request,
    Revoke,
    TruncateFront,
)
from tapemq_broker.core.group import Position
from tapemq_broker.core.refusal import Refusal, Refused
from tapemq_broker.core.results import Done, ProducerIdentity, PublishResult, TopicInfo
from tests.support.bodies import body
from tests.support.core.list_log import ListLog, ListState
from tests.support.core.reading import assigned, data_log, groups_log, key, subscribe, wish
from tests.support.core.world import FULL, LIMITS, World

REQUEST = Request(1, 1)


@pytest.fixture
def world() -> World:
    made = World()
    made.create_topic("orders", 2)
    made.sync()
    made.trace.clear()
    return made


def identity(broker: Broker, producer_id: int = 0, epoch: int = 0) -> ProducerIdentity:
    (reply,) = broker.open_producer(REQUEST, producer_id, epoch)
    assert isinstance(reply, Reply)
    assert isinstance(reply.result, ProducerIdentity)
    return reply.result


def test_producer_ids_are_given_once_in_all_boots() -> None:
    first, second = Broker(1, LIMITS), Broker(2, LIMITS)
    ids = [identity(first), identity(first), identity(second)]
    assert len({who.producer_id for who in ids}) == 3
    assert all(who.epoch == 0 for who in ids)
    assert identity(second, ids[0].producer_id, 4) == ProducerIdentity(ids[0].producer_id, 4)


def test_durable_publish_is_answered_when_it_is_on_disk(world: World) -> None:
    request = world.publish(data_log(), b"a", b"b")
    append, wait = world.trace
    assert isinstance(append, Append)
    assert wait == ReplyWhenDurable(data_log(), 2, request, PublishResult(0, True, False, 0))
    world.durable(data_log(), 2)
    assert world.answer(request) == PublishResult(0, True, False, 0)


def test_written_publish_is_answered_at_once_and_not_visible(world: World) -> None:
    subscribe(world, wish(1))
    request = world.publish(data_log(), b"a", durable=False)
    assert world.answer(request) == PublishResult(0, False, False, 0)
    assert not world.reading


def test_retry_waits_for_its_own_batch_only(world: World) -> None:
    world.publish(data_log(), b"a", b"b", producer=1)
    world.publish(data_log(), b"c", producer=1, sequence=2)
    retry = world.publish(data_log(), b"a", b"b", producer=1)
    assert world.trace[-1] == ReplyWhenDurable(
        data_log(), 2, retry, PublishResult(0, True, True, 0)
    )


def test_refused_append_is_as_if_it_never_was(world: World) -> None:
    world.disk_full = True
    request = world.publish(data_log(), b"a", producer=1)
    assert world.answer(request) == FULL
    world.disk_full = False
    world.publish(data_log(), b"a", producer=1)
    assert world.logs[data_log()].next_offset == 1


def test_refusal_is_an_answer(world: World) -> None:
    data = body(b"a")

    def publish(topic_id: int, partition: int) -> Request:
        return world.execute(
            1,
            lambda request: world.core.publish(
                request,
                topic_id,
                partition,
                data,
                body_checksum=checksum(data),
                durable=True,
                now_us=0,
            ),
        )

    for request, name in ((publish(9, 0), "stale_metadata"), (publish(1, 2), "unknown_partition")):
        answer = world.answer(request)
        assert isinstance(answer, Refusal)
        assert answer.name == name


def test_refusing_lets_faults_through(world: World) -> None:
    def command() -> list[Reply]:
        raise KeyError

    with pytest.raises(KeyError):
        world.core.refusing(REQUEST, command)  # type: ignore[arg-type]


def test_news_of_what_is_gone_or_no_data_is_nothing(world: World) -> None:
    world.core.durable_upto(data_log(topic_id=9), 5)
    world.core.durable_upto(groups_log(), 5)
    assert world.core.streams.visible(data_log(topic_id=9), [key(1)]) == []
    assert world.core.topics.get(1).partitions[0].durable_offset == 0
    assert world.core.truncate(data_log(topic_id=9), 5) == []
    world.core.truncated(data_log(topic_id=9), 5)


def test_retention_stops_at_hold_and_does_nothing_twice(world: World) -> None:
    for value in (b"a", b"b", b"c"):
        world.publish(data_log(), value)
    subscribe(world, wish(1, group="billing", hold=True, start="offset", value=0))
    world.sync()
    core, group = world.core, world.core.topics.get(1).group("billing")
    assert core.truncate(data_log(), 2) == []
    group.positions[0] = Position(1, hold=True)
    assert core.truncate(data_log(), 2) == [TruncateFront(data_log(), 1)]
    group.positions[0] = Position(1)
    assert core.truncate(data_log(), 2) == [TruncateFront(data_log(), 2)]
    core.truncated(data_log(), 2)
    assert core.topics.get(1).partitions[0].first_offset == 2
    assert core.truncate(data_log(), 2) == []
    core.topics.get(1).partitions[0].own_groups_damage = "rot"  # who holds what is not known
    assert core.truncate(data_log(), 3) == []


def test_topic_grows_durably_and_is_shared(world: World) -> None:
    subscribe(world, wish(1, group="billing"))
    world.sync()
    world.trace.clear()
    request = world.execute(1, lambda r: world.core.topics.alter(r, "orders", 3, {}))
    kinds = [type(item) for item in world.trace]
    assert kinds == [PrepareTopic, PutState, Reconfigure, PutState, Assign, ReplyWhenDurable]
    assert world.answer(request) is None
    world.sync()
    answer = world.answer(request)
    assert isinstance(answer, TopicInfo)
    assert answer.partitions == 3


def test_answer_to_deletion_comes_last(world: World) -> None:
    """The catalog's entry comes first: where a full disk refuses it, nothing has happened."""
    subscribe(world, wish(1))
    world.trace.clear()
    request = world.execute(1, lambda r: world.core.delete_topic(r, "orders"))
    assert [type(item) for item in world.trace] == [PutState, Detach, RemoveTopic, ReplyWhenDurable]
    world.sync()
    assert world.answer(request) == Done()
    world.crash()
    assert len(world.core.topics) == 0


def test_tick_takes_what_is_overdue(world: World) -> None:
    subscribe(world, wish(1, group="billing"))
    subscribe(world, wish(2, group="billing"))
    assert isinstance(world.trace[-1], Revoke)
    assert world.core.tick(LIMITS.revoke_deadline_s - 0.1, 0) == []
    (assign,) = world.core.tick(LIMITS.revoke_deadline_s, 0)
    assert isinstance(assign, Assign)
    assert (assign.key, assign.partition) == (key(2), 1)


def test_restart_knows_topics_groups_and_producers(world: World) -> None:
    world.publish(data_log(), b"a", producer=1)
    world.publish(data_log(1), b"b")
    subscribe(world, wish(1, group="billing", hold=True))
    world.sync()
    before = assigned(world, 1)
    world.crash()
    world.trace.clear()
    retry = world.publish(data_log(), b"a", producer=1)
    assert world.answer(retry) == PublishResult(0, True, True, 0)
    subscribe(world, wish(1, group="billing"))
    after = assigned(world, 1)
    assert all(after[number].generation > before[number].generation for number in (0, 1))
    assert world.core.topics.get(1).group("billing").hold


def positions(world: World, partition: int) -> dict[bytes, Position]:
    """What the group log of a partition holds."""
    entries = world.states[groups_log(partition)].entries()
    return {name: Position.decode(value) for name, value in entries.items()}


def test_loading_completes_what_a_crash_left_half_written(world: World) -> None:
    subscribe(world, wish(1, group="billing", hold=True))
    world.sync()
    world.states[groups_log(1)] = ListState()
    world.crash()
    assert positions(world, 0) == positions(world, 1) == {b"billing": Position(0, hold=True)}


def test_loading_pulls_groups_back_to_the_end_of_a_repaired_log(world: World) -> None:
    world.publish(data_log(), b"a")
    world.sync()
    subscribe(world, wish(1, group="billing", start="latest"))
    world.sync()
    assert positions(world, 0) == {b"billing": Position(1)}
    world.logs[data_log()] = ListLog()
    world.crash()
    assert positions(world, 0) == {b"billing": Position(0, 1)}


@pytest.mark.parametrize("log", [data_log, groups_log])
@pytest.mark.parametrize("damaged", [0, 1])
def test_loading_writes_nothing_to_what_is_damaged(
    world: World, damaged: int, log: Callable[[int], LogId]
) -> None:
    """Its logs are not open; and what its group log holds is good again after a repair."""
    subscribe(world, wish(1, group="billing"))
    world.sync()
    world.damage[log(damaged)] = "rot"
    before = list(world.states[groups_log(damaged)].changes)
    world.crash()
    assert world.states[groups_log(damaged)].changes == before
    assert world.core.topics.get(1).group("billing").positions.keys() == {1 - damaged}


def test_groups_of_an_unknown_topic_are_refused() -> None:
    with pytest.raises(Refused, match="describe it again"):
        Broker(1, LIMITS).load_groups(9, 0, {})
