import pytest

from tapemq.errors import OffsetOutOfRange
from tapemq.streams.intake import Intake
from tapemq.streams.seek import Seek
from tapemq.streams.start import WireStart
from tapemq.wire import messages as m

LATEST = WireStart("latest")


def assigned(partition: int, offset: int) -> m.Assigned:
    return m.Assigned(1, partition, 1, offset, 0)


@pytest.fixture
def intake() -> Intake:
    """Reads partition 0 at 5 and partition 1 at 7."""
    intake = Intake("t")
    intake.assigned(assigned(0, 5))
    intake.assigned(assigned(1, 7))
    return intake


def positions(intake: Intake) -> dict[int, int]:
    return {number: intake.position(one) for number, one in intake.assignments.items()}


def test_it_is_over_when_all_its_partitions_are_assigned(intake: Intake) -> None:
    seek = Seek(intake, [0, 1], LATEST)
    assert [seek.assigned(partition) for partition in (0, 2)] == [True, False]
    assert not seek.is_over
    seek.cut_off()
    assert seek.assigned(1)
    assert not seek.is_over
    assert seek.assigned(0)
    assert seek.is_over


def test_it_is_over_when_it_is_refused(intake: Intake) -> None:
    seek = Seek(intake, [0, 1], LATEST)
    seek.refusal = OffsetOutOfRange("beyond the end")
    assert seek.is_over


def test_what_is_undone_was_never_sought(intake: Intake) -> None:
    seek = Seek(intake, [0, 2], LATEST)
    intake.cut_off()
    for partition in (0, 1, 2):
        intake.assigned(assigned(partition, 2), moved=seek.assigned(partition))
    assert positions(intake) == {0: 2, 1: 7, 2: 2}
    seek.undo()
    assert positions(intake) == {0: 5, 1: 7}


def test_what_was_not_assigned_yet_stays_so(intake: Intake) -> None:
    Seek(intake, [3], LATEST).undo()
    assert positions(intake) == {0: 5, 1: 7}
