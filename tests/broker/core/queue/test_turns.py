from tapemq_broker.core import effects as e
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.queue.turns import LevelTurns, Turns
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.refusal import Refusal
from tests.support.core.queueing import backlog, consume, later, queue_world, send, settle
from tests.support.core.reading import data_log
from tests.support.core.world import World

LEVELS = 3


def with_records(turns: Turns | LevelTurns, *numbers: int) -> list[Backlog]:
    """Partitions with two records each, in line."""
    terms = Terms.of({}, 1)
    made = []
    for number in numbers:
        partition = Partition(1, number)
        partition.opened(0, 2, 2)
        made.append(Backlog(Ledger("g", partition, terms, 0)))
        turns.put(made[-1])
    return made


def test_partitions_take_turns_and_those_without_work_are_passed_over() -> None:
    turns = Turns()
    first, second, third = with_records(turns, 0, 1, 2)
    second.damage = "torn"
    turns.put(first)
    assert [turns.next(), turns.next(), turns.next()] == [first, third, None]


def test_partitions_of_the_highest_level_take_turns_before_others_do() -> None:
    turns = LevelTurns(LEVELS)
    one = with_records(turns, 0, 1, 2, 3, 4, 5)
    taken = [turns.next() for _ in range(7)]
    assert taken == [one[2], one[5], one[1], one[4], one[0], one[3], None]


def test_lower_levels_wait_while_more_of_a_higher_one_is_to_come() -> None:
    turns = LevelTurns(LEVELS)
    low, high = with_records(turns, 0, 2)
    assert turns.next() is high
    high.sending = 7
    high.supply.take(1, fresh=True)
    assert turns.next() is None
    high.supply.take(1, fresh=True)
    assert turns.next() is low
    turns.put(low)
    high.supply.give_back(0, 1, 0)
    assert turns.next() is None
    high.sending = None
    turns.put(high)
    assert turns.next() is high


# In the core


def levels_world(records: int = 0) -> World:
    """Two partitions of each level, with so many records each."""
    world = queue_world(partitions=2, priorities=LEVELS)
    for number in range(2 * LEVELS if records else 0):
        world.publish(data_log(number), *[b"x"] * records)
    world.sync()
    return world


def level(lease: e.DeliverLease) -> int:
    return lease.log.partition % LEVELS


def work_off(world: World) -> list[int]:
    """Handle whatever is handed out; the level of each record, in this order."""
    levels = []
    while world.leasing:
        lease = send(world)
        count = sum(end - first for first, end in lease.runs)
        levels += [level(lease)] * count
        for first, end in lease.runs:
            tokens = (lease.lease_id, first, end - first)
            settle(world, Verb.ACK, tokens, session=lease.key.session)
        world.run(world.core.queues.credit(lease.key, count, 1))
    return levels


def test_several_consumers_do_the_highest_level_first() -> None:
    world = levels_world(records=8)
    for session in (1, 2, 3):
        consume(world, session, records=2)
    assert work_off(world) == [2] * 16 + [1] * 16 + [0] * 16


def test_what_is_urgent_overtakes_what_waits() -> None:
    world = levels_world()
    consume(world, records=2)
    world.publish(data_log(0), *[b"x"] * 6)
    world.sync()
    assert [level(lease) for lease in world.leasing] == [0]
    world.publish(data_log(5), b"urgent")
    world.sync()
    assert work_off(world) == [0, 0, 2, 0, 0, 0, 0]


def test_what_failed_goes_first_again_when_its_time_has_come() -> None:
    world = levels_world(records=1)
    consume(world, records=1)
    failed = send(world)
    settle(world, Verb.NACK, (failed.lease_id, 0, 1), delay_ms=1000)
    world.run(world.core.queues.credit(failed.key, 1, 1))
    world.sync()
    send(world)
    later(world, 2.0)
    world.run(world.core.queues.credit(failed.key, 1, 1))
    (again,) = world.leasing
    assert (level(again), again.log, again.failures) == (2, failed.log, 1)


def test_a_level_that_cannot_be_read_does_not_stop_the_others() -> None:
    world = levels_world()
    for number in (2, 0):
        world.publish(data_log(number), b"x", b"x")
    world.sync()
    consume(world, 1, records=1)
    consume(world, 2, records=1)
    broken = world.leasing.popleft()
    assert (level(broken), list(world.leasing)) == (2, [])
    world.run(world.core.queues.lease_failed(broken, Refusal("storage_failed", "torn")))
    assert backlog(world, 2).damage == "torn"
    assert work_off(world) == [0, 0]


def test_levels_are_known_again_after_a_restart() -> None:
    world = levels_world(records=4)
    consume(world, records=2)
    world.crash()
    for session in (1, 2, 3):
        consume(world, session, records=2)
    assert work_off(world) == [2] * 8 + [1] * 8 + [0] * 8


def test_levels_stay_what_they_are_in_a_topic_that_grows() -> None:
    world = levels_world()
    consume(world)
    world.execute(0, lambda request: world.core.topics.alter(request, "orders", 3, {}))
    assert len(world.core.topics.get(1).partitions) == 9
    for number in (6, 8, 7):
        world.publish(data_log(number), b"x")
    world.sync()
    assert sorted(work_off(world)) == [0, 1, 2]
