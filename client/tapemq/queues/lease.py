"""Records that were leased together, and which of them are still held."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from tapemq.wire.entries import Run, Tokens


class Lease:
    """What one Leased message gave.

    ``held``: offsets that are leased and not settled; who settles one removes it. ``lost``: those
    that were taken back. ``upto``: everything below was handed out or dropped. ``desk``: who
    settles its messages.
    """

    __slots__ = (
        "crashes", "deliveries", "desk", "failures", "held", "lease_id", "lost", "partition",
        "renewed_at", "size_bytes", "subscription", "ttl_s", "upto",
    )  # fmt: skip

    def __init__(self, message: Any, runs: Iterable[Run], size_bytes: int, now: float) -> None:
        self.lease_id: int = message.lease_id
        self.subscription: int = message.subscription
        self.partition: int = message.partition
        self.failures: int = message.failures
        self.crashes: int = message.crashes
        self.deliveries: int = message.deliveries
        self.ttl_s = message.lease_ms / 1000
        self.renewed_at = now
        self.size_bytes = size_bytes
        self.held = set(
            chain.from_iterable(range(first, first + records) for first, records in runs)
        )
        self.lost: frozenset[int] = frozenset()
        self.upto = 0
        self.desk: Any = None

    @property
    def redelivered(self) -> bool:
        """Whether its records were handed out before, as far as the broker knows."""
        return bool(self.failures or self.crashes or self.deliveries)

    def take_all(self, offsets: Iterable[int]) -> list[int]:
        """Settle those that are held, and return them."""
        taken = self.held.intersection(offsets)
        self.held -= taken
        return list(taken)

    def lose(self, offsets: Iterable[int]) -> int:
        """These were taken back. Returns how many of them were held."""
        gone = self.held.intersection(offsets)
        self.held -= gone
        self.lost |= gone
        return len(gone)

    def give_back(self, records: int) -> int:
        """So many were settled or lost: their share of the payload's bytes, for the credit."""
        left = len(self.held) + records
        share = self.size_bytes * records // left if left else 0
        self.size_bytes -= share
        return share

    def __repr__(self) -> str:
        return f"<Lease {self.lease_id:#x} of partition {self.partition}, {len(self.held)} held>"


def merge(lease_id: int, offsets: list[int]) -> list[Tokens]:
    """Token entries of these offsets (each there once), as few as can be."""
    if not offsets:
        return []
    first, last = min(offsets), max(offsets)
    if last - first + 1 == len(offsets):
        return [Tokens(lease_id, first, len(offsets))]  # nothing is done for each: the usual case
    entries = []
    offsets.sort()
    start = end = offsets[0]
    for offset in offsets:
        if offset != end:
            entries.append(Tokens(lease_id, start, end - start))
            start = offset
        end = offset + 1
    entries.append(Tokens(lease_id, start, end - start))
    return entries
