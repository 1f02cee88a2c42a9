"""Queue groups of the fake broker: leases, settlements, what was told of them."""

from dataclasses import dataclass, field
from typing import Any

from tapemq.network.exchange import Reply
from tapemq.wire import errors
from tapemq.wire import messages as m
from tapemq.wire.entries import Tokens, pack_runs, pack_tokens, unpack_tokens
from tests.support.fake_broker.session import FakeSession
from tests.support.fake_broker.topic import FakePartition, FakeTopic, Refused


@dataclass(eq=False)
class FakeConsumer:
    """A subscription to a queue group."""

    session: FakeSession
    request: m.Consume
    topic: FakeTopic
    records: int
    size_bytes: int


@dataclass
class FakeLease:
    consumer: FakeConsumer
    partition: int
    offsets: set[int]


@dataclass
class FakeQueue:
    """A queue group; what happened to each (partition, offset) by verb, in order."""

    settled: set[tuple[int, int]] = field(default_factory=set)
    failures: dict[tuple[int, int], int] = field(default_factory=dict)
    crashes: dict[tuple[int, int], int] = field(default_factory=dict)
    deliveries: dict[tuple[int, int], int] = field(default_factory=dict)
    dead: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    history: list[tuple[str, int, int]] = field(default_factory=list)

    def offsets(self, verb: str, partition: int = 0) -> list[int]:
        return [o for said, where, o in self.history if said == verb and where == partition]


class FakeQueues:
    """All queue groups, and the leases of this broker's life."""

    def __init__(self) -> None:
        self.groups: dict[tuple[int, str], FakeQueue] = {}
        self.consumers: list[FakeConsumer] = []
        self.leases: dict[int, FakeLease] = {}
        self.settlements: list[tuple[m.Settle, list[Tokens]]] = []
        self.started: list[Tokens] = []
        self.extended: list[Tokens] = []
        self.lease_ms = 30_000
        self.run_max = 1000
        self._ids = 0

    def consume(self, session: FakeSession, topic: FakeTopic, request: m.Consume) -> None:
        group = self.groups.setdefault((topic.topic_id, request.group), FakeQueue())
        group.settings = group.settings or request.settings
        self.consumers.append(
            FakeConsumer(session, request, topic, request.credit_records, request.credit_bytes)
        )

    def group_of(self, consumer: FakeConsumer) -> FakeQueue:
        return self.groups[consumer.topic.topic_id, consumer.request.group]

    def find(self, session: FakeSession, number: int) -> FakeConsumer | None:
        for consumer in self.consumers:
            if consumer.session is session and consumer.request.subscription == number:
                return consumer
        return None

    def leave(self, consumer: FakeConsumer, *, crashed: bool) -> None:
        self.consumers.remove(consumer)
        started = {t[:2] for entry in self.started for t in _each(entry)}
        for lease_id, lease in tuple(self.leases.items()):
            if lease.consumer is consumer:
                for offset in sorted(lease.offsets):
                    said = "lost" if crashed else "left"
                    self.group_of(consumer).history.append((said, lease.partition, offset))
                    if crashed and (lease_id, offset) in started:
                        where = (lease.partition, offset)
                        crashes = self.group_of(consumer).crashes
                        crashes[where] = crashes.get(where, 0) + 1
                del self.leases[lease_id]

    def settle(self, session: FakeSession, message: m.Settle, payload: bytes) -> Reply:
        consumer = self.find(session, message.subscription)
        if consumer is None:
            raise Refused(errors.UNKNOWN_SUBSCRIPTION)
        entries = unpack_tokens(payload)
        self.settlements.append((message, entries))
        group, lost = self.group_of(consumer), []
        for lease_id, offset, _ in (token for entry in entries for token in _each(entry)):
            lease = self.leases.get(lease_id)
            if lease is None or offset not in lease.offsets:
                lost.append(Tokens(lease_id, offset, 1))
                continue
            lease.offsets.remove(offset)
            where = (lease.partition, offset)
            group.history.append((message.verb, *where))
            if message.verb == "nack":
                group.failures[where] = group.failures.get(where, 0) + 1
            elif message.verb != "release":
                group.settled.add(where)
        return Reply(m.Settled(len(lost)), pack_tokens(lost))

    def extend(self, message: m.Extend, payload: bytes) -> Reply:
        entries = unpack_tokens(payload)
        self.extended += entries
        lost = [entry for entry in entries if entry.lease_id not in self.leases]
        return Reply(m.Settled(len(lost)), pack_tokens(lost))

    def lose(self, reason: str = "expired") -> None:
        """Take all leases back."""
        for lease_id, lease in self.leases.items():
            entries = [Tokens(lease_id, offset, 1) for offset in sorted(lease.offsets)]
            number = lease.consumer.request.subscription
            lease.consumer.session.send(m.LeaseLost(number, reason), payload=pack_tokens(entries))
        self.leases.clear()

    # Deliveries

    def deliver(self) -> None:
        for consumer in tuple(self.consumers):
            if not consumer.session.is_open:
                self.leave(consumer, crashed=True)
        for consumer in self.consumers:
            for partition in consumer.topic.partitions:
                self._deliver(consumer, partition)

    def _deliver(self, consumer: FakeConsumer, partition: FakePartition) -> None:
        number, group = partition.log_id.partition, self.group_of(consumer)
        leased = {
            offset
            for lease in self.leases.values()
            if lease.partition == number and self.group_of(lease.consumer) is group
            for offset in lease.offsets
        }
        for stored in partition.batches:
            ready = [
                offset
                for offset in range(stored.base_offset, stored.next_offset)
                if (number, offset) not in group.settled and offset not in leased
            ]
            while ready and consumer.records > 0 and consumer.size_bytes > 0:
                known = [_counts(group, number, offset) for offset in ready]
                alike = next((i for i, k in enumerate(known) if k != known[0]), len(known))
                count = min(alike, consumer.records, self.run_max)
                self._lease(consumer, number, ready[:count], known[0], stored.data)
                ready = ready[count:]

    def _lease(
        self,
        consumer: FakeConsumer,
        partition: int,
        offsets: list[int],
        counts: tuple[int, int, int],
        data: bytes,
    ) -> None:
        self._ids += 1
        lease_id = 1 << 32 | self._ids
        self.leases[lease_id] = FakeLease(consumer, partition, set(offsets))
        consumer.records -= len(offsets)
        consumer.size_bytes -= len(data)
        deliveries = self.group_of(consumer).deliveries
        for offset in offsets:
            deliveries[partition, offset] = deliveries.get((partition, offset), 0) + 1
        runs = [(offset, 1) for offset in offsets]
        if offsets[-1] - offsets[0] + 1 == len(offsets):
            runs = [(offsets[0], len(offsets))]
        number = consumer.request.subscription
        message = m.Leased(number, partition, lease_id, pack_runs(runs), self.lease_ms, *counts)
        consumer.session.send(message, payload=data)


def _counts(group: FakeQueue, partition: int, offset: int) -> tuple[int, int, int]:
    where = (partition, offset)
    return (
        group.failures.get(where, 0),
        group.crashes.get(where, 0),
        group.deliveries.get(where, 0),
    )


def _each(entry: Tokens) -> list[Tokens]:
    return [Tokens(entry.lease_id, entry.first_offset + i, 1) for i in range(entry.records)]
