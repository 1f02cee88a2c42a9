from tapemq_broker.core.queue.group import QueueGroup
from tests.support.core.queueing import group
from tests.support.core.reading import key


def sessions_and_partitions(made: QueueGroup) -> list[tuple[int, int]]:
    found = []
    while (match := made.next_match()) is not None:
        consumer, backlog = match
        found.append((consumer.key.session, backlog.partition.number))
    return found


def test_consumers_and_partitions_take_turns() -> None:
    assert sessions_and_partitions(group(2, 3)) == [(0, 0), (1, 1)]
    assert sessions_and_partitions(group(3, 2)) == [(0, 0), (1, 1)]


def test_who_is_being_sent_something_waits() -> None:
    made = group(2, 1)
    consumer, backlog = made.consumers[key(0)], made.backlogs[0]
    assert made.next_match() == (consumer, backlog)
    made.begin_sending(consumer, backlog, 7)
    assert made.with_credit == 1
    made.wake_consumer(consumer)
    made.wake_backlog(backlog)
    assert made.next_match() is None
    made.end_sending(consumer, backlog, 8)
    assert made.with_credit == 1
    made.end_sending(consumer, backlog, 7)
    assert made.with_credit == 0
    made.wake_consumer(consumer)
    assert made.next_match() == (consumer, made.backlogs[1])


def test_the_first_consumer_gets_all_until_it_leaves() -> None:
    made = group(3, 2, single_active=True)
    assert sessions_and_partitions(made) == [(0, 0)]
    made.remove(made.consumers[key(0)])
    assert sessions_and_partitions(made) == [(1, 1)]


def test_a_paused_group_hands_nothing_out_until_it_is_resumed() -> None:
    made = group(1, 1, paused=True)
    assert made.next_match() is None
    made.set_terms(made.terms.changed({"paused": False}))
    assert made.next_match() is not None
    assert not made.backlogs[0].ledger.terms.policy.paused


def test_a_consumer_without_credit_is_passed_over() -> None:
    made = group(1, 2)
    made.consumers[key(0)].credit_bytes = 0
    made.wake_consumer(made.consumers[key(0)])
    assert made.with_credit == 1
    assert sessions_and_partitions(made) == [(1, 0)]
