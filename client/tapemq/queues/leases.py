"""All leases of a queue: by id, when to renew them, which were lost."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from tapemq.queues.lease import Lease
from tapemq.wire.entries import Run, Tokens

RENEWALS_PER_LEASE: Final = 3
"""How often in the time of the shortest lease due() is to be called."""

_YOUNG: Final = 6
"""A lease that is younger than this share of its time waits for the next turn. It is then half
its time old, so that what blocks just then may still take a third of it until it is noticed."""


class Leases:
    """The leases that hold something. ``now`` arguments are monotonic seconds."""

    def __init__(self) -> None:
        self._by_id: dict[int, Lease] = {}

    def __iter__(self) -> Iterator[Lease]:
        return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def begin(self, message: Any, runs: Sequence[Run], size_bytes: int, now: float) -> Lease:
        """A Leased message has come."""
        lease = self._by_id[message.lease_id] = Lease(message, runs, size_bytes, now)
        return lease

    def shortest_s(self) -> float:
        """The shortest time that one of them lasts; there is one."""
        shortest_s: float = min(lease.ttl_s for lease in self._by_id.values())
        return shortest_s

    def end(self, lease: Lease) -> None:
        """Forget a lease if it holds nothing any more."""
        if not lease.held:
            self._by_id.pop(lease.lease_id, None)

    def lose(self, tokens: Iterable[Tokens]) -> list[tuple[Lease, int]]:
        """The broker took these back. Returns the leases that held some, and how many."""
        found = []
        for lease_id, first, records in tokens:
            lease = self._by_id.get(lease_id)
            if lease is not None and (lost := lease.lose(range(first, first + records))):
                found.append((lease, lost))
                self.end(lease)
        return found

    def cut_off(self) -> None:
        """The subscription is gone, and all leases with it."""
        for lease in self._by_id.values():
            lease.lose(tuple(lease.held))
        self._by_id.clear()

    def due(self, now: float) -> list[Tokens]:
        """Leases to extend now: a token of each, for the whole of it. They count as extended."""
        tokens: list[Tokens] = []
        for lease in self._by_id.values():
            if lease.held and now - lease.renewed_at >= lease.ttl_s / _YOUNG:
                lease.renewed_at = now
                tokens.append(Tokens(lease.lease_id, min(lease.held), 1))
        return tokens
