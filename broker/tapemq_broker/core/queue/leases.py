"""All leases of a broker."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.consumer import Consumer
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.lease import Lease
from tapemq_broker.core.queue.supply import Portion
from tapemq_broker.core.queue.wheel import Wheel

RUNS_AT_ONCE: Final = 2500
"""What is given back of leases in one turn, at about 2 µs each."""

LEASES_PER_BOOT: Final = 1 << 40
_DUE_AT_ONCE: Final = 500
_LEASE_RUNS: Final = 4
"""What a lease costs beside its runs."""


class Held(NamedTuple):
    """A lease, whose it is, and of what."""

    lease: Lease
    group: QueueGroup
    backlog: Backlog
    consumer: Consumer

    @property
    def is_by_record(self) -> bool:
        """Whether each of its records is looked at on its own: it has trouble, or a key."""
        return self.lease.troubled or self.group.terms.policy.key_lanes

    @property
    def runs_to_return(self) -> int:
        """What it costs to give it back: by runs; one by one, if they have crashed or have keys."""
        lease = self.lease
        if self.is_by_record:
            return lease.open.bit_count() + _LEASE_RUNS
        crashed = (lease.open & lease.started).bit_count()
        return (lease.open & ~(lease.open << 1)).bit_count() + crashed + _LEASE_RUNS


class Leases:
    """Ids are never given twice. Deadlines begin when a lease was sent."""

    def __init__(self, boot_epoch: int) -> None:
        self._next_id = boot_epoch * LEASES_PER_BOOT
        self._held: dict[int, Held] = {}
        self._wheel = Wheel()
        self._seen_at: dict[int, float] = {}
        self._unread: set[int] = set()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, lease_id: int) -> Held | None:
        """The lease, if there is anything left of it."""
        held = self._held.get(lease_id)
        return held if held is not None and lease_id in held.backlog.leases else None

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
            lease_s=group.terms.policy.lease_ms / 1000,
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
        backlog.leases.pop(lease.lease_id, None)
        del self._held[lease.lease_id]

    def void(self, backlog: Backlog) -> Iterator[Held]:
        """Nobody holds anything of a partition any more; each of the leases is still to be dropped.

        However many they are, it takes no longer.
        """
        voided, backlog.leases = backlog.leases, {}
        backlog.leased = 0
        return map(self._held.__getitem__, voided)

    def session_seen(self, session: int, now: float) -> None:
        """A sign of life, which is as good as extending all leases of a session."""
        self._seen_at[session] = now

    def session_unread(self, session: int, is_unread: bool, now: float) -> None:
        """Nothing that a session sends is read, by choice of the broker; or it is again.

        It could not extend its leases meanwhile: they run out no sooner than after that.
        """
        if is_unread:
            self._unread.add(session)
        else:
            self._unread.discard(session)
            self.session_seen(session, now)

    def forget_session(self, session: int) -> None:
        """It is gone."""
        self._seen_at.pop(session, None)
        self._unread.discard(session)

    def expired(self, now: float) -> Iterator[Held]:
        """Some of those whose deadline has come; who takes one drops it."""
        runs = 0
        for _ in range(_DUE_AT_ONCE):
            due = self._wheel.due(now, 1) if runs < RUNS_AT_ONCE else []
            if not due:
                return
            lease_id = due[0]
            held = self._held[lease_id]
            if lease_id not in held.backlog.leases:
                continue
            session = held.consumer.key.session
            seen_at = now if session in self._unread else self._seen_at.get(session, float("-inf"))
            deadline = seen_at + held.lease.lease_s
            if deadline > now:
                held.lease.deadline = deadline
                self._wheel.add(lease_id, deadline)
            else:
                runs += held.runs_to_return
                yield held
