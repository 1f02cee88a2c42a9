from tapemq_broker.core.queue.returned import RUNS_MAX, Returned


def test_runs_come_back_in_order_of_the_oldest() -> None:
    returned = Returned()
    returned.add(20, 25, 1)
    returned.add(3, 5, 2)
    returned.add(10, 12, 1)
    assert returned.take(100) == ([(3, 5)], 2)
    assert returned.take(3) == ([(10, 12), (20, 21)], 1)
    assert returned.take(100) == ([(21, 25)], 1)
    assert not returned


def test_neighbours_are_one_run() -> None:
    returned = Returned()
    returned.add(5, 7, 1)
    returned.add(3, 5, 1)
    assert returned.take(10) == ([(3, 7)], 1)


def test_a_lease_has_only_so_many_runs() -> None:
    returned = Returned()
    for number in range(RUNS_MAX + 1):
        returned.add(2 * number, 2 * number + 1, 1)
    assert len(returned.take(1000)[0]) == RUNS_MAX
    assert returned


def test_what_is_gone_does_not_come_back() -> None:
    returned = Returned()
    returned.add(3, 9, 1)
    returned.add(1, 2, 2)
    returned.forget_below(5)
    assert returned.take(10) == ([(5, 9)], 1)
    returned.add(3, 9, 1)
    returned.clear()
    assert not returned


def test_many_deliveries_are_counted_up_to_a_limit() -> None:
    returned = Returned()
    returned.add(0, 1, 100)
    returned.add(1, 2, 101)
    assert returned.take(10) == ([(0, 2)], 100)
