"""Queue groups in the simplest terms: a dictionary of what became of each record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tapemq_broker.core.queue.policy import Policy

LEASE_MS = 5000


@dataclass
class Rec:
    """One record, for one group. ``state``: settled, ready, leased, withheld, retrying or dead.

    ``terminal``: the floor does not wait for it. ``seen``: it was leased since the start.
    """

    state: str = "ready"
    terminal: bool = False
    failures: int = 0
    crashes: int = 0
    replays: int = 0
    not_before_us: int = 0
    deliveries: int = 0
    reason: str = ""
    lease: int = 0
    started: bool = False
    seen: bool = False

    @property
    def troubled(self) -> bool:
        return self.failures + self.crashes + self.replays > 0

    @property
    def attempts(self) -> int:
        return self.failures + self.crashes

    def kept(self) -> "Rec":
        """What of it is written."""
        state = self.state if self.state in ("settled", "dead") else "ready"
        not_before_us = self.not_before_us if state == "ready" else 0
        reason = self.reason if state == "dead" else ""
        kept = Rec(state, self.terminal, self.failures, self.crashes, self.replays)
        return replace(kept, not_before_us=not_before_us, reason=reason)

    def counts(self) -> tuple[int, int, int]:
        return self.failures, self.crashes, self.deliveries

    def settle(self) -> None:
        self.__init__(state="settled", terminal=True)  # type: ignore[misc]

    def give_back(self) -> None:
        self.state, self.started, self.lease = "ready", False, 0


class Snapshot(NamedTuple):
    """What is written of a group on a partition."""

    start: int
    records: Mapping[int, Rec]
    settings: Mapping[str, int | str | bool]
    version: int


class ModelPart:
    """A group on a partition. Below ``start`` everything is settled, unless ``records`` know."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.records: dict[int, Rec] = {}

    def rec(self, offset: int) -> Rec:
        found = self.records.get(offset)
        if found is None:
            settled = offset < self.start
            found = Rec("settled" if settled else "ready", settled)
            self.records[offset] = found
        return found

    def visible(self, end: int) -> list[tuple[int, Rec]]:
        return [(offset, self.rec(offset)) for offset in range(end)]

    def floor(self, end: int) -> int:
        offset = self.start
        while offset < end and self.rec(offset).terminal:
            offset += 1
        return offset

    def of_lease(self, lease_id: int) -> dict[int, Rec]:
        return {
            o: r for o, r in self.records.items() if r.state == "leased" and r.lease == lease_id
        }

    def seek(self, start: int) -> None:
        """Everything below is settled, dead ones there stay dead."""
        dead = {o: r for o, r in self.records.items() if o < start and r.state == "dead"}
        self.start = start
        self.records = dead

    def gone_below(self, first_offset: int) -> None:
        for offset in range(first_offset):
            self.rec(offset).settle()


@dataclass
class ModelLease:
    """What the model knows of a lease beside its records."""

    session: int
    partition: int
    sending: bool = True
    deadline: float = 0.0


@dataclass
class ModelConsumer:
    credit_records: int
    credit_bytes: int
    sending: bool = False
    stalled: bool = False

    @property
    def can_take(self) -> bool:
        return self.credit_records > 0 and self.credit_bytes > 0 and not self.stalled


@dataclass
class ModelGroup:
    """A group; consumers by session, in the order of coming."""

    settings: dict[str, int | str | bool]
    parts: list[ModelPart]
    version: int = 1
    consumers: dict[int, ModelConsumer] = field(default_factory=dict)
    leases: dict[int, ModelLease] = field(default_factory=dict)
    confirmed: set[tuple[int, int]] = field(default_factory=set)

    @property
    def policy(self) -> Policy:
        return Policy.of(self.settings)

    def snapshot(self, partition: int) -> Snapshot:
        part = self.parts[partition]
        records = {offset: rec.kept() for offset, rec in part.records.items()}
        return Snapshot(part.start, records, dict(self.settings), self.version)

    def is_sending(self, partition: int) -> bool:
        return any(one.sending and one.partition == partition for one in self.leases.values())

    def fail(self, rec: Rec, delay_us: int | None, reason: str, now_us: int) -> None:
        """Withheld, or dead; ``delay_us`` None is a crash."""
        rec.deliveries += 1
        rec.started, rec.lease = False, 0
        rec.failures += delay_us is not None
        rec.crashes += delay_us is None
        if self.policy.max_attempts and rec.attempts >= self.policy.max_attempts:
            self.die(rec, reason)
            return
        rec.state = "withheld"
        rec.not_before_us = now_us + delay_us if delay_us else 0

    def die(self, rec: Rec, reason: str) -> None:
        rec.state, rec.terminal, rec.reason = "dead", True, reason
        rec.started, rec.lease = False, 0

    def lose(self, lease_id: int, now_us: int) -> None:
        """A consumer has lost a lease."""
        lease = self.leases.pop(lease_id)
        self.consumers[lease.session].sending &= not lease.sending
        for rec in self.parts[lease.partition].of_lease(lease_id).values():
            if rec.started:
                self.fail(rec, None, "crashed", now_us)
            else:
                rec.deliveries += 1
                rec.give_back()

    def drop_empty(self) -> None:
        """Leases of which nothing is left are forgotten, once they are sent."""
        for lease_id, lease in list(self.leases.items()):
            if not lease.sending and not self.parts[lease.partition].of_lease(lease_id):
                del self.leases[lease_id]


def restored(snapshots: Iterable[Snapshot | None], settings_of: Snapshot) -> ModelGroup:
    """A group after a crash; where nothing is written of it, it wants all records."""
    parts = []
    for snapshot in snapshots:
        part = ModelPart(snapshot.start if snapshot else 0)
        for offset, kept in (snapshot.records if snapshot else {}).items():
            rec = part.records[offset] = replace(kept)
            if rec.state == "ready" and rec.not_before_us:
                rec.state = "retrying"
        parts.append(part)
    return ModelGroup(dict(settings_of.settings), parts, settings_of.version)
