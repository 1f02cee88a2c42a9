"""What a queue group has still to do on one partition."""

from dataclasses import dataclass
from typing import Final

from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.frontier import Frontier
from tapemq_broker.core.queue.lanes import Lanes
from tapemq_broker.core.queue.lease import Lease
from tapemq_broker.core.queue.ledger import Ledger, below
from tapemq_broker.core.queue.supply import Supply
from tapemq_broker.core.queue.trouble import Place

LEASES_MAX: Final = 100_000


@dataclass(slots=True)
class Totals:
    """Since the broker's start."""

    redelivered: int = 0
    acked: int = 0
    failed: int = 0
    crashed: int = 0
    expired: int = 0
    gone: int = 0


class Backlog:
    """The ledger, and what is not written: what is ready, leased, or waits.

    ``sending``: the lease that is being sent; the next one has to wait. ``damage``: why nothing is
    handed out until the next start.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.leases: dict[int, Lease] = {}
        self.leased = 0
        self.waiting = 0
        self.sending: int | None = None
        self.damage = ""
        self.is_closed = False
        self.totals = Totals()
        lanes = ledger.terms.policy.key_lanes
        self.supply: Supply = Lanes(ledger) if lanes else Frontier(ledger)

    @property
    def partition(self) -> Partition:
        """Where it is."""
        return self.ledger.partition

    @property
    def ready(self) -> int:
        """How many records could be handed out, were there no limits."""
        return self.ledger.unsettled() - self.leased - self.waiting

    @property
    def takes_fresh(self) -> bool:
        """Whether records that were never handed out may be: not too many wait for a retry."""
        return self.waiting < self.ledger.terms.policy.retry_max

    def can_hand_out(self) -> bool:
        """Whether a lease can be made now."""
        return (
            self.sending is None
            and not self.damage
            and len(self.leases) < LEASES_MAX
            and self.ledger.purge_from is None
            and len(self.ledger.dead_offsets) < self.ledger.terms.policy.dead_max
            and self.supply.has_ready(fresh=self.takes_fresh)
        )

    def close(self) -> None:
        """The group is no more: nothing is to come of what waits, or is asked for."""
        self.ledger.close()
        self.is_closed = True
        self.waiting = 0
        self.damage = "the group was deleted"

    def seek(self, floor: int) -> None:
        """Begin anew at an offset. Nothing may be leased."""
        self.ledger.seek(floor)
        self.waiting = 0
        self.damage = ""
        self.supply.restart()

    def forget_below(self, offset: int) -> None:
        """What is below an offset is not in the log any more. Nothing of it may be leased."""
        for troubled in below(self.ledger.troubled_offsets, offset):
            if self.ledger.troubles[troubled].place in (Place.WAITING, Place.WITHHELD):
                self.waiting -= 1
        self.totals.gone += self.ledger.gone_below(offset)
        self.supply.forget_below(offset)
