from tapemq.streams.assignment import Assignment
from tapemq.wire import messages as m


def assigned(offset: int, *, generation: int = 1, seek_epoch: int = 0) -> m.Assigned:
    return m.Assigned(9, 0, generation, offset, seek_epoch)


def test_first_assignment_starts_where_the_broker_says() -> None:
    assignment = Assignment(0)
    assert not assignment.assign(assigned(5, generation=3), known=False)
    assert (assignment.position, assignment.committed, assignment.generation) == (5, 5, 3)
    assert assignment.live
    assert assignment.subscription == 9


def test_reading_goes_on_behind_the_last_record() -> None:
    assignment = Assignment(0)
    assignment.assign(assigned(5), known=False)
    assignment.position = 12
    assignment.live = False
    assert assignment.assign(assigned(7, generation=2), known=True)
    assert (assignment.position, assignment.generation) == (12, 2)
    assert assignment.live


def test_position_that_the_broker_names_is_not_taken_for_a_commit() -> None:
    assignment = Assignment(0)
    assignment.assign(assigned(5), known=False)
    assignment.position = 12
    assignment.assign(assigned(10, generation=2), known=True)
    assert assignment.committed == 5
    assignment.committed = 12
    assignment.assign(assigned(11, generation=3), known=True)
    assert assignment.committed == 11
    assignment.assign(assigned(20, generation=4, seek_epoch=1), known=True)
    assert assignment.committed == 20


def test_what_is_committed_up_to_the_position_goes_on_there() -> None:
    assignment = Assignment(0)
    assignment.assign(assigned(5), known=False)
    assert assignment.assign(assigned(5, generation=2), known=True)


def test_what_nobody_has_assigned_is_nothing_yet() -> None:
    made = Assignment(3)
    assert not made.live
    assert (made.subscription, made.generation, made.seek_epoch) == (0, 0, 0)
    assert (made.position, made.committed) == (0, 0)


def test_another_member_was_further() -> None:
    assignment = Assignment(0)
    assignment.assign(assigned(5), known=False)
    assert not assignment.assign(assigned(20), known=True)
    assert assignment.position == 20


def test_seek_moves_back() -> None:
    assignment = Assignment(0)
    assignment.assign(assigned(5), known=False)
    assignment.position = 12
    assert not assignment.assign(assigned(0, seek_epoch=1), known=True)
    assert (assignment.position, assignment.seek_epoch) == (0, 1)


def test_assignment_ends_a_revocation() -> None:
    assignment = Assignment(0)
    assignment.release_by = 5.0
    assignment.assign(assigned(0), known=True)
    assert assignment.release_by is None
