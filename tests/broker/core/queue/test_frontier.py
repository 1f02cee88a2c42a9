from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.frontier import Frontier
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.supply import Portion
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.queue.trouble import Place


def frontier(records: int = 20) -> tuple[Ledger, Frontier]:
    partition = Partition(1, 0)
    partition.opened(0, records, records)
    ledger = Ledger("g", partition, Terms.of({}, 1), 0)
    return ledger, Frontier(ledger)


def trouble(ledger: Ledger, found: Frontier, offset: int, failures: int = 1) -> None:
    trouble = ledger.trouble(offset)
    trouble.failures = failures
    trouble.place = Place.READY
    found.ready(offset)


def test_records_come_in_order_and_what_is_settled_is_passed_over() -> None:
    ledger, found = frontier()
    ledger.settled.add(3, 5)
    ledger.settled.add(8, 18)
    taken = [found.take(4, fresh=True) for _ in range(5)]
    runs = [portion.runs for portion in taken if portion is not None]
    assert runs == [[(0, 3)], [(5, 8)], [(18, 20)]]
    assert taken[3:] == [None, None]
    assert not found.has_ready(fresh=True)
    assert found.cursor == 20


def test_troubled_ones_beyond_the_cursor_wait_for_their_time() -> None:
    ledger, found = frontier(6)
    ledger.trouble(2)
    ledger.trouble(3)
    found.restart()
    taken = [found.take(9, fresh=True) for _ in range(3)]
    assert [portion.runs for portion in taken if portion is not None] == [[(0, 2)], [(4, 6)]]


def test_what_failed_comes_first_then_what_came_back() -> None:
    ledger, found = frontier()
    assert found.take(10, fresh=True) == Portion([(0, 10)])
    found.give_back(4, 6, 1)
    for offset, failures in ((8, 1), (7, 1), (2, 1), (3, 2)):
        trouble(ledger, found, offset, failures)
    expected = [
        Portion([(2, 3)], True, 1),
        Portion([(3, 4)], True, 2),
        Portion([(7, 9)], True, 1),
        Portion([(4, 6)], deliveries=1),
        Portion([(10, 20)]),
    ]
    assert [found.take(10, fresh=True) for _ in expected] == expected
    assert ledger.troubles[7].place is Place.LEASED


def test_nothing_new_is_taken_while_too_many_wait() -> None:
    _, found = frontier()
    assert not found.has_ready(fresh=False)
    assert found.take(5, fresh=False) is None
    found.give_back(0, 1, 1)
    assert found.has_ready(fresh=False)
    assert found.take(5, fresh=False) == Portion([(0, 1)], deliveries=1)


def test_what_is_settled_meanwhile_is_stale() -> None:
    ledger, found = frontier()
    found.take(9, fresh=True)
    trouble(ledger, found, 2)
    found.give_back(3, 6, 1)
    ledger.gone_below(5)
    found.forget_below(5)
    assert found.take(9, fresh=True) == Portion([(5, 6)], deliveries=1)


def test_runs_of_a_lease_are_limited() -> None:
    ledger, found = frontier(600)
    found.take(600, fresh=True)
    for offset in range(0, 600, 2):
        trouble(ledger, found, offset)
    taken = found.take(1000, fresh=True)
    assert taken is not None
    assert len(taken.runs) == 256
    rest = found.take(1000, fresh=True)
    assert rest is not None
    assert rest.runs[0] == (512, 513)


def test_it_needs_to_know_nothing() -> None:
    _, found = frontier()
    found.keys_read(0, [b"a"])
    found.settled(0, 1)
    found.stepped_aside(1)
    assert (found.wanted(), found.obstacle(), found.remarks()) == ([], None, [])


def test_what_failed_before_the_start_waits_for_its_time() -> None:
    ledger, _ = frontier(6)
    ledger.settled.raise_floor(1)
    ledger.trouble(2)
    found = Frontier(ledger)
    taken = [found.take(9, fresh=True) for _ in range(3)]
    assert [portion.runs for portion in taken if portion is not None] == [[(1, 2)], [(3, 6)]]


def test_the_record_at_the_floor_may_have_failed() -> None:
    ledger, _ = frontier(4)
    ledger.trouble(0)
    portion = Frontier(ledger).take(9, fresh=True)
    assert portion == Portion([(1, 4)])


def test_a_restart_forgets_what_was_ready() -> None:
    ledger, found = frontier()
    assert found.take(10, fresh=True) == Portion([(0, 10)])
    found.give_back(4, 6, 1)
    trouble(ledger, found, 8)
    ledger.untrouble(8)
    found.restart()
    assert not found.has_ready(fresh=False)
    assert found.take(30, fresh=True) == Portion([(0, 20)])


def test_no_more_troubled_ones_come_than_are_asked_for() -> None:
    ledger, found = frontier()
    assert found.take(20, fresh=True) == Portion([(0, 20)])
    for offset in (2, 3, 4, 9, 11):
        trouble(ledger, found, offset)
    assert found.take(2, fresh=True) == Portion([(2, 4)], True, 1)
    assert found.take(2, fresh=True) == Portion([(4, 5), (9, 10)], True, 1)
    assert found.take(2, fresh=True) == Portion([(11, 12)], True, 1)


def test_a_troubled_one_that_is_gone_meanwhile_is_passed_over() -> None:
    ledger, found = frontier()
    assert found.take(20, fresh=True) == Portion([(0, 20)])
    for offset in (2, 3, 4):
        trouble(ledger, found, offset)
    ledger.untrouble(3)
    assert found.take(9, fresh=True) == Portion([(2, 3), (4, 5)], True, 1)
    trouble(ledger, found, 7)
    ledger.untrouble(7)
    assert not found.has_ready(fresh=False)
