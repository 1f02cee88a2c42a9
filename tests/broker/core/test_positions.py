import pytest

from tapemq.batch import LogId
from tapemq_broker.core.effects import Change, Effects, PutState, ReplyWhenDurable, Request
from tapemq_broker.core.group import Position, StreamGroup
from tapemq_broker.core.positions import Positions, done_when_put
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import Done, TopicInfo
from tapemq_broker.core.start import Start
from tapemq_broker.core.topic import Topic
from tapemq_broker.core.topics import Topics
from tests.support.core.changes import carried_out
from tests.support.core.reading import groups_log

EARLIEST = Start("earliest")
ONE = Request(1, 1)


class Rig:
    """A topic with three partitions that end at 5, 6 and 7, and begin at 1."""

    def __init__(self) -> None:
        self.topics = Topics(10, 10, 100)
        self.topics.prepared(TopicInfo("orders", 1, 3, 1, {}))
        self.topic: Topic = self.topics.get(1)
        for partition in self.topic.partitions:
            end = 5 + partition.number
            partition.opened(1, end + 1, end)
        self.positions = Positions(self.topics, groups_max=2)

    def open_group(
        self, name: str, start: Start = EARLIEST, *, hold: bool = False
    ) -> tuple[StreamGroup, Effects]:
        positions = self.positions.to_open(self.topic, name, start, hold)
        effects = self.move(name, positions)
        return self.topic.group(name), effects

    def move(self, name: str, positions: dict[int, Position]) -> Effects:
        return carried_out(self.positions.move(ONE, self.topic, name, positions, lambda _: []))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def written(effects: Effects) -> dict[LogId, Position]:
    """The positions of "billing" that are put into group logs."""
    puts = [effect for effect in effects if isinstance(effect, PutState)]
    assert len(puts) == len(effects)
    return {put.log: Position.decode(put.changes[b"billing"] or b"") for put in puts}


@pytest.mark.parametrize(
    ("start", "cursors"),
    [
        (Start("earliest"), [1, 1, 1]),
        (Start("latest"), [5, 6, 7]),
        (Start("offset", 6), [5, 6, 6]),
        (Start("time", 9, {0: 2, 1: 3, 2: 8}), [2, 3, 7]),
    ],
)
def test_new_group_is_written_everywhere(rig: Rig, start: Start, cursors: list[int]) -> None:
    group, effects = rig.open_group("billing", start, hold=True)
    expected = {number: Position(cursor, hold=True) for number, cursor in enumerate(cursors)}
    assert group.positions == expected
    assert written(effects) == {groups_log(n): position for n, position in expected.items()}
    assert rig.topic.groups == {"billing": group}


def test_refused_group_leaves_nothing(rig: Rig) -> None:
    with pytest.raises(Refused, match="partition 0 ends at offset 6; 7 is beyond"):
        rig.open_group("billing", Start("offset", 7))
    assert rig.topic.groups == {}


def test_group_that_a_full_disk_keeps_out_leaves_nothing(rig: Rig) -> None:
    positions = rig.positions.to_open(rig.topic, "billing", EARLIEST, False)
    (change,) = rig.positions.move(ONE, rig.topic, "billing", positions, lambda _: [])
    assert isinstance(change, Change)
    assert change.request == ONE
    assert rig.topic.groups == {}
    assert rig.topics.group_count == 0


def test_groups_of_all_topics_are_limited(rig: Rig) -> None:
    other = TopicInfo("shipments", 2, 1, 1, {})
    rig.topics.prepared(other)
    rig.topics.add_group(rig.topics.get(2), "packing")
    rig.open_group("billing")
    with pytest.raises(Refused, match="at most 2 groups"):
        rig.open_group("auditing")
    rig.open_group("billing")
    carried_out(rig.topics.delete(ONE, "shipments"))
    rig.open_group("auditing")


def test_group_that_exists_keeps_its_positions(rig: Rig) -> None:
    group, _ = rig.open_group("billing")
    again, effects = rig.open_group("billing", Start("latest"))
    assert again is group
    assert effects == []
    assert group.positions[0] == Position(1)


def test_hold_is_switched_on_by_who_needs_it_and_not_off_by_others(rig: Rig) -> None:
    group, _ = rig.open_group("billing")
    _, effects = rig.open_group("billing", hold=True)
    assert written(effects) == {groups_log(number): Position(1, hold=True) for number in range(3)}
    assert rig.open_group("billing", hold=True)[1] == []
    assert rig.open_group("billing", hold=False)[1] == []
    assert group.hold
    effects = rig.move("billing", rig.positions.to_hold(rig.topic, group, False))
    assert written(effects) == {groups_log(number): Position(1) for number in range(3)}


@pytest.mark.parametrize("hold", [True, False])
def test_what_is_gone_is_not_held(rig: Rig, hold: bool) -> None:
    """It would count as there again at the next start. Without hold, nothing is moved."""
    group, _ = rig.open_group("billing", hold=not hold)
    rig.topic.partitions[1].first_offset = 4
    rig.move("billing", rig.positions.to_hold(rig.topic, group, hold))
    assert group.positions[0] == Position(1, hold=hold)
    assert group.positions[1] == Position(4 if hold else 1, hold=hold)


def test_half_written_hold_is_written_everywhere_again(rig: Rig) -> None:
    group, _ = rig.open_group("billing")
    group.positions[2] = group.positions[2]._replace(hold=True)
    assert len(rig.open_group("billing", hold=True)[1]) == 3


def test_new_partitions_are_read_from_their_first_record(rig: Rig) -> None:
    group, _ = rig.open_group("billing", Start("latest"), hold=True)
    rig.topic.change(rig.topic.info._replace(partitions=4))
    effects: Effects = []
    rig.positions.extend_groups(rig.topic, effects)
    assert written(effects) == {groups_log(3): Position(0, hold=True)}
    assert group.positions[3] == Position(0, hold=True)
    assert group.positions[0].cursor == 5


def test_group_beyond_the_end_is_pulled_back(rig: Rig) -> None:
    group, _ = rig.open_group("billing", Start("latest"))
    group.positions[1] = Position(9, 2, 77, hold=True)
    effects: Effects = []
    rig.positions.pull_back_groups(rig.topic, effects)
    assert written(effects) == {groups_log(1): Position(6, 3, 77, hold=True)}
    assert group.positions[0].cursor == 5


def test_damaged_partition_is_left_alone(rig: Rig) -> None:
    rig.topic.partitions[2].damage = "rot"
    group, effects = rig.open_group("billing", hold=True)
    assert set(written(effects)) == {groups_log(0), groups_log(1)}
    group.positions[2] = Position(99)
    effects = []
    rig.positions.pull_back_groups(rig.topic, effects)
    del group.positions[2]
    rig.positions.extend_groups(rig.topic, effects)
    rig.open_group("billing", hold=True)
    assert effects == []


def test_topic_without_a_usable_partition_takes_no_group(rig: Rig) -> None:
    for partition in rig.topic.partitions:
        partition.damage = "rot"
    with pytest.raises(Refused, match="rot"):
        rig.open_group("billing")
    assert rig.topic.groups == {}


def test_answer_waits_for_the_log_that_is_written_last(rig: Rig) -> None:
    done = ReplyWhenDurable(groups_log(2), None, ONE, Done())
    assert done_when_put(rig.topic, ONE) == done
    _, effects = rig.open_group("billing")
    assert isinstance(effects[-1], PutState)
    assert effects[-1].log == groups_log(2)
    rig.topic.partitions[2].damage = "rot"
    assert done_when_put(rig.topic, ONE).log == groups_log(1)


def test_what_holds_somewhere_holds_everywhere_where_it_can_be_used(rig: Rig) -> None:
    """A partition could not be used when somebody asked for it, and was repaired since."""
    group, _ = rig.open_group("billing", Start("offset", 2))
    group.positions[0] = Position(0)  # of which the first one is gone
    group.positions[1] = Position(2, hold=True)
    rig.topic.partitions[2].damage = "broken"
    effects: Effects = []
    rig.positions.share_hold(rig.topic, effects)
    assert written(effects) == {groups_log(0): Position(1, hold=True)}
    assert [group.positions[number].hold for number in range(3)] == [True, True, False]


def test_what_holds_nowhere_does_not(rig: Rig) -> None:
    rig.open_group("billing")
    effects: Effects = []
    rig.positions.share_hold(rig.topic, effects)
    assert effects == []
