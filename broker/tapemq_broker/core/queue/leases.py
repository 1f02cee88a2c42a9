"""All leases of a broker."""

from typing import NamedTuple

from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.consumer import Consumer
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.lease import Lease
from tapemq_broker.core.queue.supply import Portion
from tapemq_broker.core.queue.wheel import Wheel

_EXPIRED_AT_ONCE = 500


class Held(NamedTuple):
    """A lease, whose it is, and of what."""

    lease: Lease
    group: QueueGroup
    backlog: Backlog
    consumer: Consumer


class Leases:
    """Ids are never given twice. Deadlines begin when a lease was sent."""

    def __init__(self, boot_epoch: int) -> None:
        self._next_id = boot_epoch << 32
        self._held: dict[int, Held] = {}
        self._wheel = Wheel()
        self._seen_at: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._held)

    def get(self, lease_id: int) -> Held | None:
        """The lease, if there is anything left of it."""
        return self._held.get(lease_id)

    def grant(
        self, group: QueueGroup, backlog: Backlog, consumer: Consumer, portion: Portion
    ) -> Held:
        """Lease records; the lease has to be sent."""
        self._next_id += 1
        lease = Lease(
            self._next_id,
            portion.runs,
            troubled=portion.troubled,
            deliveries=portion.deliveries,
        )
        held = self._held[lease.lease_id] = Held(lease, group, backlog, consumer)
        backlog.leases[lease.lease_id] = lease
        backlog.leased += lease.count
        consumer.leases[lease.lease_id] = None
        group.begin_sending(consumer, backlog, lease.lease_id)
        return held

    def set_deadline(self, held: Held, deadline: float) -> None:
        """The lease lasts until then, or longer if it does already."""
        lease = held.lease
        if deadline > lease.deadline:
            if lease.deadline:
                self._wheel.remove(lease.lease_id, lease.deadline)
            self._wheel.add(lease.lease_id, deadline)
            lease.deadline = deadline

    def drop_if_done(self, held: Held) -> None:
        """Forget a lease of which nothing is left, unless it is still being sent."""
        if not held.lease.open and held.backlog.sending != held.lease.lease_id:
            self.drop(held)

    def drop(self, held: Held) -> None:
        """Forget a lease."""
        lease, group, backlog, consumer = held
        group.end_sending(consumer, backlog, lease.lease_id)
        self._wheel.remove(lease.lease_id, lease.deadline)
        consumer.leases.pop(lease.lease_id, None)
        del backlog.leases[lease.lease_id]
        del self._held[lease.lease_id]

    def session_seen(self, session: int, now: float) -> None:
        """A sign of life, which is as good as extending all leases of a session."""
        self._seen_at[session] = now

    def forget_session(self, session: int) -> None:
        """It is gone."""
        self._seen_at.pop(session, None)

    def expired(self, now: float) -> list[Held]:
        """Some of those whose deadline has come."""
        found: list[Held] = []
        for lease_id in self._wheel.due(now, _EXPIRED_AT_ONCE):
            held = self._held[lease_id]
            seen_at = self._seen_at.get(held.consumer.key.session, float("-inf"))
            deadline = seen_at + held.group.terms.policy.lease_ms / 1000
            if deadline > now:
                held.lease.deadline = deadline
                self._wheel.add(lease_id, deadline)
            else:
                found.append(held)
        return found
