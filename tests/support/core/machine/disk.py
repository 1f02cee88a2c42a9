"""Rules for the disk: rounds of syncs, retention, more partitions, power cuts."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tapemq_broker.core.group import Position
from tapemq_broker.core.results import TopicInfo
from tests.support.core.machine.model import ModelPartition
from tests.support.core.machine.seeing import STEPS_BETWEEN_CRASHES, SeeingMachine, numbers
from tests.support.core.reading import data_log

TOPIC = "orders"
PARTITIONS_MAX = 3


class DiskRules(SeeingMachine):
    """What is written becomes durable in rounds, in the order of writing."""

    @initialize(count=st.integers(1, 2))
    def create(self, count: int) -> None:
        """One topic."""
        self.world.create_topic(TOPIC, count)
        self.world.sync()
        self.world.trace.clear()
        self.partitions += [ModelPartition() for _ in range(count)]
        self.confirmed_partitions = count

    @precondition(lambda self: self.world.journal)
    @rule(writes=st.integers(1, 8))
    def sync_round(self, writes: int) -> None:
        """A round of syncs that began after so many of the writes has returned."""
        self.world.sync_round(writes)
        self.disk_moved()

    @rule(number=numbers, offset=numbers)
    def retain(self, number: int, offset: int) -> None:
        """Retention would like to remove what is below an offset."""
        number %= len(self.partitions)
        model, log = self.partitions[number], self.world.logs[data_log(number)]
        offset = min(offset, model.durable_offset)
        needed = [
            at.cursor for (_, place), at in self.notes.now.items() if place == number and at.hold
        ]
        self.world.run(self.world.core.truncate(data_log(number), offset))
        assert log.first_offset <= max(min([offset, *needed]), model.first_offset)
        model.first_offset = log.first_offset
        self.see()

    @precondition(lambda self: 0 < len(self.partitions) < PARTITIONS_MAX)
    @rule()
    def grow(self) -> None:
        """One more partition; groups read it from its first record on."""
        number = len(self.partitions)
        self.partitions.append(ModelPartition())
        for group in self.notes.groups():
            hold = any(at.hold for at in self.notes.positions(group).values())
            self.notes.now[group, number] = Position(0, hold=hold)
        topics = self.world.core.topics
        request = self.world.execute(0, lambda r: topics.alter(r, TOPIC, number + 1, {}))

        def check(result: object) -> None:
            assert isinstance(result, TopicInfo)
            assert result.partitions == number + 1
            self.confirmed_partitions = max(self.confirmed_partitions, number + 1)

        self.expect(request, check)
        for one in self.watcher.subscribers.values():
            assert one.group or (number in one.held) == one.reads_all

    @precondition(lambda self: self.steps_since_crash > STEPS_BETWEEN_CRASHES)
    @rule(survivors=st.integers(0, 255))
    def crash(self, survivors: int) -> None:
        """A power cut. Of what was not on disk, some logs happen to keep all."""
        self.steps_since_crash = 0
        self.world.crash(survivors)
        self.world.trace.clear()
        self.awaited.clear()
        self.leaving.clear()
        self.watcher.subscribers.clear()
        count = len(self.core_partitions)
        assert count >= self.confirmed_partitions
        assert all(model.acknowledged_offset == 0 for model in self.partitions[count:])
        del self.partitions[count:]
        for number, model in enumerate(self.partitions):
            model.crash(self.world.logs[data_log(number)].next_offset)
        groups = self.world.core.topics.get(1).groups
        left = {
            (name, number): at
            for name, group in groups.items()
            for number, at in group.positions.items()
        }
        self.notes.crash(left, [partition.first_offset for partition in self.core_partitions])
