"""A consumer of a queue group: its credit, and what it holds."""

from dataclasses import dataclass, field

from tapemq_broker.core.effects import SubscriptionKey


@dataclass(slots=True, eq=False)
class Consumer:
    """``name`` is for people. ``sending``: a lease is on its way to it, so its credit is not known.

    ``leases`` are the ids of what it holds, oldest first. ``stalled``: its connection takes no more
    now. ``leaving``: it is given no more, and what it holds is being given back.
    """

    key: SubscriptionKey
    name: str
    credit_records: int
    credit_bytes: int
    sending: int | None = None
    leases: dict[int, None] = field(default_factory=dict)
    stalled: bool = False
    leaving: bool = False

    @property
    def has_credit(self) -> bool:
        """Whether it may get more."""
        has_room = self.credit_records > 0 and self.credit_bytes > 0
        return has_room and not self.stalled and not self.leaving
