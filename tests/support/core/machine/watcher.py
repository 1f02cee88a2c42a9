"""What subscribers can see: who reads what, in which generation, and how far they are."""

from dataclasses import dataclass

from tapemq_broker.core import effects as e
from tapemq_broker.core.refusal import Refusal
from tests.support.core.machine.model import ModelPartition
from tests.support.core.world import Sent

Place = tuple[str, int]


@dataclass
class Held:
    """A partition that a subscription reads. ``revoked_until``: it was asked to let go by then."""

    generation: int
    position: int
    revoked_until: float | None = None


class Subscriber:
    """One subscription."""

    def __init__(self, key: e.SubscriptionKey, group: str, member: str) -> None:
        self.key = key
        self.group = group
        self.member = member
        self.held: dict[int, Held] = {}
        self.credit_records = 0
        self.credit_bytes = 0
        self.reads_all = False

    def __repr__(self) -> str:
        return f"<{self.key} {self.group}/{self.member}: {self.held}>"


class Watcher:
    """All subscriptions; every rule of reading is asserted as soon as it could be broken."""

    def __init__(self, partitions: list[ModelPartition]) -> None:
        self.partitions = partitions
        self.subscribers: dict[e.SubscriptionKey, Subscriber] = {}
        self.last_generation = 0

    def members(self, group: str) -> list[Subscriber]:
        """Those of a group."""
        return [one for one in self.subscribers.values() if one.group == group]

    def holder(self, group: str, partition: int) -> Subscriber | None:
        """The one member that has a partition."""
        holders = [one for one in self.members(group) if partition in one.held]
        assert len(holders) <= 1
        return holders[0] if holders else None

    # What is done to them

    def let_go_if_revoked(self, group: str, partition: int) -> None:
        """A seek does not wait for who was asked to let go."""
        holder = self.holder(group, partition)
        if holder is not None and holder.held[partition].revoked_until is not None:
            del holder.held[partition]

    def overdue(self, now: float) -> None:
        """Take what was not let go in time."""
        for one in self.subscribers.values():
            for number, held in list(one.held.items()):
                if held.revoked_until is not None and held.revoked_until <= now:
                    del one.held[number]

    # What they are told

    def assigned(self, assign: e.Assign, cursor: int | None) -> None:
        """``cursor`` is the group's."""
        one = self.subscribers[assign.key]
        assert assign.generation > self.last_generation, "generations rise"
        self.last_generation = assign.generation
        if one.group:
            assert self.holder(one.group, assign.partition) in (None, one), "one owner at a time"
            assert assign.offset == cursor, "a group starts at its cursor"
        one.held[assign.partition] = Held(assign.generation, assign.offset)

    def revoked(self, revoke: e.Revoke, now: float) -> None:
        held = self.subscribers[revoke.key].held[revoke.partition]
        assert held.generation == revoke.generation
        assert held.revoked_until is None
        held.revoked_until = now + revoke.within_s

    def detached(self, detach: e.Detach) -> None:
        assert isinstance(detach.reason, Refusal)
        assert detach.generation == 0, "nothing is damaged here"
        del self.subscribers[detach.key]

    def received(self, sent: Sent) -> None:
        """Records in order, without gaps but those of retention, and only if they are on disk."""
        wish, chunk = sent.wish, sent.chunk
        one = self.subscribers[wish.key]
        held = one.held[wish.log.partition]
        partition = self.partitions[wish.log.partition]
        assert held.generation == wish.generation
        assert held.revoked_until is None, "what was revoked is not delivered"
        assert wish.offset == max(held.position, partition.first_offset)
        assert chunk.next_offset <= partition.durable_offset
        assert chunk.records == partition.records(wish.offset, chunk.next_offset)
        held.position = chunk.next_offset
        self._spend(one, sent)

    def _spend(self, one: Subscriber, sent: Sent) -> None:
        assert one.credit_records > 0
        assert one.credit_bytes > 0
        last = sent.chunk.last_batch
        without_last = len([r for r in sent.chunk.records if r[0] < last.base_offset])
        assert without_last < one.credit_records, "credit is overdrawn by one batch at most"
        assert sent.chunk.size_bytes - len(last.body) < one.credit_bytes
        one.credit_records -= len(sent.chunk.records)
        one.credit_bytes -= sent.chunk.size_bytes

    # What must hold all the time

    def check_shares(self, group: str) -> None:
        """Once nothing is being revoked, all is owned, and evenly."""
        members = self.members(group)
        held = [held for one in members for held in one.held.values()]
        if members and all(one.revoked_until is None for one in held):
            counts = [len(one.held) for one in members]
            assert sum(counts) == len(self.partitions)
            assert max(counts) - min(counts) <= 1

    def could_be_served(self, one: Subscriber) -> bool:
        """There is credit, and something to send."""
        return (
            one.credit_records > 0
            and one.credit_bytes > 0
            and any(
                held.revoked_until is None
                and max(held.position, self.partitions[number].first_offset)
                < self.partitions[number].durable_offset
                for number, held in one.held.items()
            )
        )
