"""What a command has touched, from which the effects follow that they all have in common."""

from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.trouble import Trouble

Noted = list[tuple[int, Trouble]]


class Outcome:
    """``withheld``: troubled records by partition, that wait until the disk knows of them.
    ``left``: groups that a consumer has left.

    In dicts where sets would do, because these keep the order.
    """

    def __init__(self) -> None:
        self.changed: dict[Backlog, None] = {}
        self.withheld: dict[Backlog, Noted] = {}
        self.touched: dict[Backlog, QueueGroup] = {}
        self.left: dict[QueueGroup, None] = {}

    def touch(self, group: QueueGroup, backlog: Backlog) -> None:
        """There may be more, or less, to hand out."""
        self.touched[backlog] = group

    def change(self, group: QueueGroup, backlog: Backlog) -> None:
        """There is something to write."""
        self.touched[backlog] = group
        self.changed[backlog] = None

    def withhold(self, group: QueueGroup, backlog: Backlog, offset: int, trouble: Trouble) -> None:
        """A record must not be handed out before the disk knows what happened to it."""
        self.change(group, backlog)
        self.withheld.setdefault(backlog, []).append((offset, trouble))
