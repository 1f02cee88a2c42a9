"""One record that is to be scheduled, and who waits for its receipt."""

import asyncio
from typing import Protocol

from tapemq.publishing.item import Item
from tapemq.schedules.plan import Plan
from tapemq.schedules.receipt import ScheduleReceipt


class Holder(Protocol):
    """What a record leaves with."""

    @property
    def is_sent(self) -> bool:
        """Whether the broker may have it."""

    def withdraw(self, wanted: "Wanted") -> None:
        """Somebody waits no more."""


class Wanted:
    """``partition`` None: its key's, or the next one. ``future`` resolves to the receipt."""

    __slots__ = ("future", "holder", "item", "partition", "plan")

    def __init__(self, item: Item, partition: int | None, plan: Plan) -> None:
        self.item = item
        self.partition = partition
        self.plan = plan
        self.holder: Holder | None = None
        self.future: asyncio.Future[ScheduleReceipt] = asyncio.get_running_loop().create_future()

    @property
    def is_sent(self) -> bool:
        """Whether the broker may have it."""
        return self.holder is not None and self.holder.is_sent

    def resolve(self, receipt: ScheduleReceipt) -> None:
        """It is on the broker's disk."""
        if not self.future.done():
            self.future.set_result(receipt)

    def fail(self, error: Exception) -> None:
        """It is not, or may not be."""
        if not self.future.done():
            self.future.set_exception(error)

    def withdraw(self) -> None:
        """Do not send it, if that is still possible."""
        if self.holder is not None:
            self.holder.withdraw(self)
