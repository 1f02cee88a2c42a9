import pytest

from tapemq_broker.core.partition import Partition
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.start import Start


@pytest.fixture
def partition() -> Partition:
    made = Partition(1, 3)
    made.opened(10, 20, 15)
    return made


@pytest.mark.parametrize(
    ("start", "offset", "cursor"),
    [
        (Start("earliest"), 10, 10),
        (Start("latest"), 15, 15),
        (Start("offset", 12), 12, 12),
        (Start("offset", 3), 10, 10),
        (Start("offset", 20), 20, 15),
        (Start("time", 99, {3: 14, 0: 1}), 14, 14),
        (Start("time", 99, {3: 20}), 20, 15),
        (Start("time", 99, {0: 1}), 10, 10),
        (Start("time", 99, {3: 4}), 10, 10),  # there are files of it, but it was dropped
    ],
)
def test_start(partition: Partition, start: Start, offset: int, cursor: int) -> None:
    """A group's cursor rests on disk, so it is never beyond what does."""
    assert (start.resolve(partition), start.cursor(partition)) == (offset, cursor)


@pytest.mark.parametrize(
    ("start", "name"), [(Start("offset", 21), "offset_out_of_range"), (Start("now"), "bad_request")]
)
def test_no_such_start(partition: Partition, start: Start, name: str) -> None:
    with pytest.raises(Refused) as caught:
        start.cursor(partition)
    assert caught.value.refusal.name == name
