"""What the core says is held against the model, as soon as it is said."""

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from tapemq_broker.core import effects as e
from tapemq_broker.core.queue.policy import Policy
from tapemq_broker.core.refusal import Refusal
from tests.support.core.queue_machine.model import ModelGroup, ModelLease, Rec
from tests.support.core.queue_machine.world import QueueWorld
from tests.support.core.reading import data_log, key
from tests.support.core.world import Answered

PARTITIONS = 2
NAMES = ("a", "b")
SLOT_S = 0.1

numbers = st.integers(0, 1 << 20)
names = st.sampled_from(NAMES)
partitions = st.integers(0, PARTITIONS - 1)
sessions = st.integers(1, 3)
Check = Callable[[object], None]


def key_of(value: bytes) -> bytes | None:
    """Records are of the keys b"0" to b"2", or of none."""
    return None if value[:1] == b"-" else value[:1]


class SeeingMachine(RuleBasedStateMachine):
    """The world, the model, and what is expected."""

    def __init__(self) -> None:
        super().__init__()
        self.world = QueueWorld()
        self.world.on_restored = self.restored
        self.world.create_topic("orders", PARTITIONS)
        self.world.sync()
        self.world.trace.clear()
        self.awaited: dict[e.Request, Check] = {}
        self.leaving: dict[e.Request, str] = {}
        """Groups that were deleted, where that may not be on disk yet."""
        self.taken_back: dict[int, set[int]] = {}
        self.seen_at: dict[int, float] = {}
        self.steps_since_crash = 0

    @property
    def groups(self) -> dict[str, ModelGroup]:
        return self.world.groups

    def visible(self, partition: int) -> int:
        return self.world.logs[data_log(partition)].durable_offset

    def group_of(self, lease_id: int) -> tuple[str, ModelGroup] | None:
        found = ((name, group) for name, group in self.groups.items() if lease_id in group.leases)
        return next(found, None)

    def sub(self, name: str, session: int) -> e.SubscriptionKey:
        return key(session, NAMES.index(name) + 1)

    def restored(self) -> None:
        for group in self.groups.values():
            for number, part in enumerate(group.parts):
                part.gone_below(self.world.logs[data_log(number)].first_offset)

    def expect(self, request: e.Request, check: Check) -> None:
        self.awaited[request] = check
        self.see()

    def expect_now(self, request: e.Request, expected: object) -> None:
        """An answer, or the name of a refusal, at once."""
        answer = self.world.answer(request)
        found = answer.name if isinstance(answer, Refusal) else answer
        assert found == expected, f"{found} is not {expected}"
        self.see()

    def see(self) -> None:
        """Everything that was said since the last time, in order."""
        while self.world.trace:
            said = self.world.trace.pop(0)
            if isinstance(said, e.DeliverLease):
                self._see_lease(said)
            elif isinstance(said, e.TakeBack):
                self._see_loss(said)
            elif isinstance(said, Answered) and said.request in self.awaited:
                self.leaving.pop(said.request, None)
                self.awaited.pop(said.request)(said.result)

    # Leases

    def _see_lease(self, said: e.DeliverLease) -> None:
        name = NAMES[said.key.subscription - 1]
        group, partition = self.groups[name], said.log.partition
        consumer = group.consumers[said.key.session]
        offsets = [offset for first, end in said.runs for offset in range(first, end)]
        recs = [group.parts[partition].rec(offset) for offset in offsets]
        self._check_turn(group, partition, said, len(recs))
        assert offsets == sorted(set(offsets))
        assert offsets[-1] < self.visible(partition), "what is not on disk is not handed out"
        for offset, rec in zip(offsets, recs, strict=True):
            self._check_record(name, partition, offset, rec, said)
            rec.state, rec.lease, rec.seen, rec.started = "leased", said.lease_id, True, False
        if group.policy.key_lanes:
            self._check_lanes(group, partition, offsets)
        group.leases[said.lease_id] = ModelLease(said.key.session, said.log.partition)
        consumer.sending = True

    def _check_turn(
        self, group: ModelGroup, partition: int, said: e.DeliverLease, count: int
    ) -> None:
        policy, consumer = group.policy, group.consumers[said.key.session]
        assert not policy.paused
        assert consumer.can_take
        assert not consumer.sending
        assert not group.is_sending(partition), "one lease is sent at a time"
        assert said.max_bytes <= consumer.credit_bytes
        if policy.single_active:
            assert said.key.session == next(iter(group.consumers))
        recs = [rec for _, rec in group.parts[partition].visible(self.visible(partition))]
        ready = sum(rec.state == "ready" for rec in recs)
        takers = sum(one.can_take for one in group.consumers.values())
        share = ready if policy.single_active else -(-ready // takers)
        assert count <= min(max(share, 1), consumer.credit_records)
        assert sum(rec.state == "dead" for rec in recs) < policy.dead_max
        assert said.lease_s == policy.lease_ms / 1000

    def _check_record(
        self, name: str, partition: int, offset: int, rec: Rec, said: e.DeliverLease
    ) -> None:
        policy = self.groups[name].policy
        assert rec.state == "ready", f"{offset} is {rec}"
        assert rec.counts() == (said.failures, said.crashes, said.deliveries)
        assert not policy.max_attempts or rec.attempts < policy.max_attempts
        if rec.troubled:
            snapshot = self.world.on_disk(name, partition)
            known = snapshot.records[offset] if snapshot else Rec()
            counts = (known.failures, known.crashes, known.replays)
            assert counts == (rec.failures, rec.crashes, rec.replays), "counted on disk first"
            assert rec.not_before_us <= self.world.now_us
        elif not rec.seen:
            assert self.waiting(name, partition) < policy.retry_max

    def waiting(self, name: str, partition: int) -> int:
        recs = self.groups[name].parts[partition].records.values()
        return sum(rec.state in ("withheld", "retrying") for rec in recs)

    def _check_lanes(self, group: ModelGroup, partition: int, offsets: list[int]) -> None:
        """So many of a key at a time; and none while one before it has not been tried."""
        values, part, policy = self.world.values(partition), group.parts[partition], group.policy
        for offset in offsets:
            if (lane := key_of(values[offset])) is None:
                continue
            same = [
                (o, rec)
                for o, rec in part.visible(self.visible(partition))
                if key_of(values[o]) == lane
            ]
            leased = sum(rec.state == "leased" for _, rec in same)
            assert leased <= policy.key_concurrency
            for before, rec in same:
                if before >= offset or part.rec(offset).troubled or rec.terminal:
                    continue
                assert rec.state != "ready" or rec.troubled, f"{before} comes before {offset}"
                if policy.key_failure == "block" and policy.key_concurrency == 1:
                    assert rec.state in ("settled", "dead"), f"{before} blocks {offset}"

    def _see_loss(self, said: e.TakeBack) -> None:
        for lease_id, first, count in said.tokens:
            offsets = set(range(first, first + count))
            if said.reason == "expired":
                self._see_expired(lease_id, offsets)
            else:
                assert said.reason in ("sought", "gone")
                assert offsets <= self.taken_back[lease_id]
                self.taken_back[lease_id] -= offsets

    def _see_expired(self, lease_id: int, offsets: set[int]) -> None:
        found = self.group_of(lease_id)
        if found is None:  # the same lease, in several runs
            assert offsets <= self.taken_back[lease_id]
            return
        _, group = found
        lease = group.leases[lease_id]
        assert self.deadline(group, lease_id) <= self.world.now
        held = set(group.parts[lease.partition].of_lease(lease_id))
        assert offsets <= held
        self.taken_back[lease_id] = held
        group.lose(lease_id, self.world.now_us)

    def deadline(self, group: ModelGroup, lease_id: int) -> float:
        """A sign of life of the session extends all its leases."""
        lease = group.leases[lease_id]
        seen_at = self.seen_at.get(lease.session, -1e9)
        return max(lease.deadline, seen_at + group.policy.lease_ms / 1000)

    def policy(self, name: str) -> Policy:
        return self.groups[name].policy
