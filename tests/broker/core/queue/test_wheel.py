from tapemq_broker.core.queue.wheel import SLOT_S, Wheel


def test_nothing_is_due_before_its_deadline_nor_long_after_it() -> None:
    wheel = Wheel()
    for item, deadline in enumerate((5.0, 5.05, 7.3, 5.0)):
        wheel.add(item, deadline)
    assert wheel.due(4.99, 10) == []
    assert set(wheel.due(5.05 + SLOT_S, 10)) == {0, 1, 3}
    assert wheel.due(7.3 + 2 * SLOT_S, 10) == [2]
    assert wheel.due(1e9, 10) == []


def test_many_come_some_at_a_time() -> None:
    wheel = Wheel()
    for item in range(5):
        wheel.add(item, 1.0)
    found = [wheel.due(2.0, 2) for _ in range(4)]
    assert [len(some) for some in found] == [2, 2, 1, 0]
    assert {item for some in found for item in some} == set(range(5))


def test_what_was_removed_is_never_due() -> None:
    wheel = Wheel()
    wheel.add(1, 1.0)
    wheel.add(2, 1.0)
    wheel.remove(1, 1.0)
    wheel.remove(7, 9.0)
    assert wheel.due(2.0, 10) == [2]
    wheel.remove(2, 1.0)


def test_deadlines_that_are_put_off_again_and_again_leave_nothing() -> None:
    wheel = Wheel()
    for number in range(10_000):
        wheel.add(1, float(number))
        wheel.remove(1, float(number))
    assert not wheel._slots
    assert len(wheel._order) <= 1000
    wheel.add(1, 7.0)
    wheel.add(2, 9.0)
    assert wheel.due(8.0, 10) == [1]
    assert wheel.due(1e9, 10) == [2]


def test_a_slot_that_was_left_and_taken_again_is_due_once() -> None:
    wheel = Wheel()
    for _ in range(3):
        wheel.add(1, 1.0)
        wheel.remove(1, 1.0)
    wheel.add(1, 1.0)
    assert wheel.due(2.0, 10) == [1]
    assert wheel.due(2.0, 10) == []
