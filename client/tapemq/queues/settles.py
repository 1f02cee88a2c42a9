"""Settlements, gathered until they are sent: the more of them, the less each costs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tapemq.queues.lease import Lease, merge
from tapemq.queues.verdict import ACK, Verdict
from tapemq.wire import messages as m
from tapemq.wire.entries import Tokens, pack_tokens
from tapemq.wire.limits import TOKENS_MAX

_ByLease = defaultdict[Lease, list[int]]


class Settlement(NamedTuple):
    """Messages with one verdict, by lease."""

    verdict: Verdict
    offsets: dict[Lease, list[int]]

    @property
    def records(self) -> int:
        """How many messages."""
        return sum(map(len, self.offsets.values()))

    def payloads(self) -> Iterator[bytes]:
        """Token entries, as many as fit into a frame at a time."""
        entries: list[Tokens] = []
        for lease, offsets in self.offsets.items():
            entries += merge(lease.lease_id, offsets)
        return chunks(entries)

    def request(self, subscription: int) -> m.Settle:
        """The message that says so."""
        return m.Settle(subscription, *self.verdict)


class Settles:
    """What was settled and is not yet said. Each message is to be taken from its lease first."""

    def __init__(self) -> None:
        self.acks: _ByLease = defaultdict(list)
        self._others: dict[Verdict, _ByLease] = {}

    def add(self, verdict: Verdict, lease: Lease, offset: int) -> None:
        """One message."""
        (self.acks if verdict is ACK else self._of(verdict))[lease].append(offset)

    def add_all(self, verdict: Verdict, lease: Lease, offsets: Iterable[int]) -> None:
        """Some messages of a lease."""
        (self.acks if verdict is ACK else self._of(verdict))[lease] += offsets

    def _of(self, verdict: Verdict) -> _ByLease:
        return self._others.setdefault(verdict, defaultdict(list))

    def take(self) -> list[Settlement]:
        """All of it; nothing is left here."""
        taken = [Settlement(verdict, offsets) for verdict, offsets in self._others.items()]
        if self.acks:
            taken.append(Settlement(ACK, self.acks))
            self.acks = defaultdict(list)
        self._others = {}
        return taken


def chunks(entries: list[Tokens]) -> Iterator[bytes]:
    """Payloads of these entries."""
    for first in range(0, len(entries), TOKENS_MAX):
        yield pack_tokens(entries[first : first + TOKENS_MAX])
