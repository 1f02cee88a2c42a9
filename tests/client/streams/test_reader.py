"""The shells' tests show it at work: test_stream.py and tests/client/sync/test_stream.py."""

import pytest

from tapemq.errors import Closed, OffsetOutOfRange
from tapemq.network.link_state import LinkState
from tapemq.network.url import Address, Target
from tapemq.streams.intake import Intake
from tapemq.streams.reader import StreamReader
from tapemq.streams.start import WireStart
from tapemq.wire import messages as m
from tests.support.sdk import HELLO, QuickClock
from tests.support.subscribing import options
from tests.support.talk import Talk

HERE = Address("here", 1)
OFFSET_90 = WireStart("offset", 90)


class OfNobody(StreamReader[Talk]):
    """Subscribes to all at once when the link is up."""

    def __init__(self, group: str = "") -> None:
        link: LinkState[Talk] = LinkState(Target((HERE,), False), HELLO, QuickClock())
        super().__init__(link, "t", 1.0, "stream", "with")
        self.failure = None
        self.options = options(group=group)
        self.intake = Intake("t")
        self._topic = m.Topic("t", 7, 2, 1, {})
        self._partitions_at_start = 2
        self.progress = 0
        link.listen(self)
        self.talk = Talk()
        link._came_up(HERE, self.talk)

    def link_up(self, connection: Talk) -> None:
        for request in self._plan():
            connection.send(self._number(connection, request), lambda answer: None)

    def _pushed(self, message: object, payload: memoryview) -> None: ...

    def _stop(self) -> None: ...

    def _progressed(self) -> None:
        self.progress += 1

    def assign(self, *offsets: int) -> None:
        for partition, offset in enumerate(offsets):
            self._assigned(m.Assigned(1, partition, 1, offset, 0))

    def wishes(self) -> list[tuple[list[int], str, int]]:
        """What was subscribed to since the last look."""
        heard = [message for message, _ in self.talk.heard()]
        return [
            (wish.partitions, wish.start, wish.start_value)
            for wish in heard
            if isinstance(wish, m.Subscribe)
        ]

    @property
    def positions(self) -> list[int]:
        return [one.position for one in self.intake.assignments.values()]


@pytest.fixture
def reader() -> OfNobody:
    reader = OfNobody()
    reader.wishes()
    reader.assign(3, 4)
    return reader


def test_partitions_of_a_group_are_those_assigned() -> None:
    reader = OfNobody("g")
    assert reader.partitions() == []
    reader.assign(0)
    assert reader.partitions() == [0]


def test_partitions_without_a_group_are_all_that_were_asked_for(reader: OfNobody) -> None:
    assert reader.partitions() == [0, 1]
    reader.options = reader.options._replace(partitions=(1,))
    assert reader.partitions() == [1]


def test_what_is_closed_reads_nothing_and_seeks_nowhere(reader: OfNobody) -> None:
    reader.close()
    with pytest.raises(Closed):
        reader.partitions()
    with pytest.raises(Closed):
        reader._begin_seek([0], OFFSET_90)


def test_seek_counts_when_it_is_assigned_also_on_another_connection(reader: OfNobody) -> None:
    seek = reader._begin_seek([0, 1], OFFSET_90)
    reader.assign(90)
    reader.link_down(Closed("lost"))
    reader.talk = Talk()
    reader._link._came_up(HERE, reader.talk)
    assert reader.wishes() == [([0], "offset", 90), ([1], "offset", 90)]
    reader.assign(90, 90)
    assert seek.is_over
    reader._call_off(seek)
    assert reader.positions == [90, 90]
    assert reader.wishes() == []


def test_one_partition_is_sought_and_the_other_reads_on(reader: OfNobody) -> None:
    reader._begin_seek([1], OFFSET_90)
    assert reader.wishes() == [([1], "offset", 90), ([0], "offset", 3)]


def test_seek_that_is_called_off_leaves_everything_as_it_was(reader: OfNobody) -> None:
    seek = reader._begin_seek([0, 1], OFFSET_90)
    reader.assign(90)
    reader.wishes()
    reader._call_off(seek)
    assert reader.wishes() == [([0], "offset", 3), ([1], "offset", 4)]
    assert not any(one.live for one in reader.intake.assignments.values())
    assert reader.positions == [3, 4]


def test_seek_that_is_refused_is_called_off(reader: OfNobody) -> None:
    refusal = OffsetOutOfRange("beyond the end")
    assert not reader._gives_in(refusal)
    seek = reader._begin_seek([0], OFFSET_90)
    reader.wishes()
    assert reader._gives_in(refusal)
    assert seek.refusal is refusal
    assert reader.wishes() == [([0], "offset", 3), ([1], "offset", 4)]
    assert reader.progress == 1
    assert not reader._gives_in(refusal)


def test_seek_of_what_was_closed_meanwhile_subscribes_to_nothing(reader: OfNobody) -> None:
    seek = reader._begin_seek([0], OFFSET_90)
    reader.wishes()
    reader.close()
    reader._call_off(seek)
    assert reader.wishes() == []
