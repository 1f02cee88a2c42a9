"""A record of a queue, and what is known of its delivery."""

from typing import Any

from tapemq.queues.lease import Lease
from tapemq.streams.record import Record


class LeasedRecord(Record, frozen=True, gc=True):
    """A record that is this consumer's for a while; a Record with its lease.

    The lease leads to the client, and an error that a closed client raises to the frames that had
    the message in hand: the collector of garbage has to see that ring.
    """

    _lease: Lease

    def __reduce__(self) -> Any:
        raise TypeError(
            f"{self!r} belongs to this process's connection, and cannot be pickled or copied "
            "deeply: hand over what it holds (value, key, headers), and settle it here"
        )

    @property
    def attempt(self) -> int:
        """1 for the first try; failures and crashes count, what was given back does not."""
        return 1 + self._lease.failures + self._lease.crashes

    @property
    def failures(self) -> int:
        """How often it was nacked."""
        return self._lease.failures

    @property
    def crashes(self) -> int:
        """How often a consumer that worked on it went away, or let its lease run out."""
        return self._lease.crashes

    @property
    def deliveries(self) -> int:
        """How often it was handed out before, since the broker's start."""
        return self._lease.deliveries

    @property
    def lease_lost(self) -> bool:
        """Whether it is not this consumer's any more, and comes again here or elsewhere."""
        return self.offset in self._lease.lost

    @property
    def settled(self) -> bool:
        """Whether it was settled here."""
        lease = self._lease
        return self.offset not in lease.held and self.offset not in lease.lost

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.topic}/{self.partition} offset={self.offset} "
            f"attempt={self.attempt} key={self.key!r} value={self.value!r:.60}>"
        )
