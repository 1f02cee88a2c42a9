"""The part of a state machine over the core that sees what happens and knows what to expect."""

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from tapemq_broker.core import effects as e
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Done, PublishResult
from tapemq_broker.core.start import Start
from tests.support.core.machine.model import ModelPartition
from tests.support.core.machine.notes import Notes
from tests.support.core.machine.watcher import Subscriber, Watcher
from tests.support.core.reading import PLENTY, data_log
from tests.support.core.world import Answered, Sent, World

numbers = st.integers(0, 11)
"""Taken modulo what there is."""
groups = st.sampled_from(["billing", "auditing"])
starts = st.tuples(
    st.sampled_from(["earliest", "earliest", "latest", "offset", "offset", "beyond", "soon"]),
    st.integers(0, 9),
)
"""For start()."""
STEPS_BETWEEN_CRASHES = 15


class SeeingMachine(RuleBasedStateMachine):
    """A world, its model, and the answers that are awaited. Rules are added by who inherits."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.partitions: list[ModelPartition] = []
        self.watcher = Watcher(self.partitions)
        self.notes = Notes()
        self.awaited: dict[e.Request, Callable[[object], None]] = {}
        self.leaving: dict[e.Request, str] = {}
        """Groups that were deleted, where that may not be on disk yet."""
        self.confirmed_partitions = 0
        self.steps_since_crash = 0

    # Looking up

    @property
    def everywhere(self) -> range:
        """The numbers of all partitions."""
        return range(len(self.partitions))

    @property
    def core_partitions(self) -> list[Partition]:
        return self.world.core.topics.get(1).partitions

    @property
    def first_offsets(self) -> list[int]:
        return [model.first_offset for model in self.partitions]

    def one_of(self, index: int) -> Subscriber:
        """One of the subscribers."""
        subscribers = list(self.watcher.subscribers.values())
        return subscribers[index % len(subscribers)]

    def start(self, kind: str, value: int, *partitions: int) -> Start:
        """A start on some partitions; offsets are in all of them, or beyond one."""
        least = min(self.partitions[number].next_offset for number in partitions)
        if kind == "beyond":
            return Start("offset", least + 1 + value)
        return Start(kind, value % (least + 1))

    def resolve(self, start: Start, number: int) -> int | str:
        """The offset that a start stands for, or the name of a refusal."""
        model = self.partitions[number]
        if start.kind == "soon":
            return "bad_request"
        if start.kind == "offset":
            is_beyond = start.value > model.next_offset
            return "offset_out_of_range" if is_beyond else max(start.value, model.first_offset)
        return model.first_offset if start.kind == "earliest" else model.durable_offset

    # Seeing

    def see(self) -> None:
        """Take note of all that has happened."""
        trace, self.world.trace = self.world.trace, []
        wrote = any(isinstance(item, e.PutState) for item in trace)
        for item in trace:
            if isinstance(item, e.Reply):
                assert not (wrote and item.result == Done()), "Done is said once it is on disk"
            self._see(item)

    def _see(self, item: object) -> None:
        match item:
            case e.PutState() if item.log.topic_id:
                self.notes.put(item)
            case e.ReplyWhenDurable():
                self.notes.wait(item.request)
            case e.Assign():
                group = self.watcher.subscribers[item.key].group
                at = self.notes.now.get((group, item.partition))
                self.watcher.assigned(item, at.cursor if at else None)
            case e.Revoke():
                self.watcher.revoked(item, self.world.now)
            case e.Detach():
                self.watcher.detached(item)
            case Sent():
                self.watcher.received(item)
            case Answered():
                self.leaving.pop(item.request, None)
                self.awaited.pop(item.request)(item.result)

    # Expecting

    def expect(self, request: e.Request, answer: Callable[[object], None]) -> None:
        """``answer`` asserts what the answer is, when it comes."""
        self.awaited[request] = answer
        self.see()

    def expect_now(self, request: e.Request, expected: object) -> None:
        """The answer is there already: a result, or the name of a refusal."""

        def check(result: object) -> None:
            assert (result.name if isinstance(result, Refusal) else result) == expected

        self.expect(request, check)
        assert request not in self.awaited

    def expect_noted(self, request: e.Request, group: str, *partitions: int) -> None:
        """Done will say that the group's positions on these partitions are on disk."""

        def check(result: object) -> None:
            assert result == Done()
            self.notes.confirm(request, group, partitions)

        assert isinstance(self.world.trace[-1], e.ReplyWhenDurable | Answered)
        self.expect(request, check)

    def expect_receipt(
        self, request: e.Request, number: int, offset: int, end: int, *, duplicate: bool
    ) -> None:
        """A receipt for the records from ``offset`` up to ``end``, durable only if they are."""

        def check(result: object) -> None:
            assert isinstance(result, PublishResult), result
            assert (result.base_offset, result.duplicate) == (offset, duplicate)
            if result.durable:
                assert end <= self.world.logs[data_log(number)].durable_offset
                partition = self.partitions[number]
                partition.acknowledged_offset = max(partition.acknowledged_offset, end)

        waits = [item for item in self.world.trace if isinstance(item, e.ReplyWhenDurable)]
        assert all(wait.offset == end for wait in waits)
        self.expect(request, check)

    # What must hold all the time

    @invariant()
    def time_passes(self) -> None:
        self.steps_since_crash += 1

    @invariant()
    def offsets_agree(self) -> None:
        if not self.partitions:
            return
        for model, found in zip(self.partitions, self.core_partitions, strict=True):
            assert found.first_offset == model.first_offset
            assert found.durable_offset == model.durable_offset <= model.next_offset
            assert found.next_offset == model.next_offset

    @invariant()
    def positions_agree(self) -> None:
        self.notes.check()
        groups = self.world.core.topics.get(1).groups if self.partitions else {}
        assert groups.keys() == self.notes.groups()
        for name, group in groups.items():
            assert group.positions == self.notes.positions(name)
            assert len(group.positions) == len(self.partitions)
            for number, position in group.positions.items():
                assert position.cursor <= self.partitions[number].durable_offset

    @invariant()
    def members_share_evenly(self) -> None:
        for group in self.notes.groups():
            self.watcher.check_shares(group)

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        streams = self.world.core.streams
        under_way = {wish.key for wish in self.world.reading if streams.is_wanted(wish)}
        for subscriber in self.watcher.subscribers.values():
            assert subscriber.key in under_way or not self.watcher.could_be_served(subscriber)
        assert len(streams) == len(self.watcher.subscribers)

    def teardown(self) -> None:
        """In the end all is on disk, answered, and read by who reads it."""
        if not self.partitions:
            return
        self.sync_all()
        assert self.awaited == {}
        for subscriber in self.watcher.subscribers.values():
            subscriber.credit_records += PLENTY
            subscriber.credit_bytes += PLENTY
            self.world.run(self.world.core.streams.credit(subscriber.key, PLENTY, PLENTY))
        while self.world.reading:
            self.world.deliver()
        self.see()
        for subscriber in self.watcher.subscribers.values():
            assert not self.watcher.could_be_served(subscriber)

    def sync_all(self) -> None:
        self.world.sync()
        self.disk_moved()

    def disk_moved(self) -> None:
        """The disk has got on: what of the logs is durable is its decision."""
        for number, partition in enumerate(self.partitions):
            partition.durable_offset = self.world.logs[data_log(number)].durable_offset
        self.see()
