"""Records that are scheduled together: one request, one answer."""

import asyncio
from collections.abc import Callable
from typing import Final

from tapemq.batch import checksum
from tapemq.infos import time_of
from tapemq.publishing.item import Item
from tapemq.schedules.passage import Target
from tapemq.schedules.receipt import ScheduleReceipt
from tapemq.schedules.wanted import Wanted
from tapemq.wire import messages as m
from tapemq.wire.entries import pack_times
from tapemq.wire.limits import SCHEDULES_MAX

PARCEL_BYTES: Final = 256 * 1024


class Parcel:
    """Filled until it is sent; what is plain may have company. ``task`` sends it.

    ``is_uncertain``: an answer to it was lost. ``full_bytes``: more records have no company.
    ``on_less``: called when a record was taken out again.
    """

    def __init__(self, topic: str, target: Target, full_bytes: int = PARCEL_BYTES) -> None:
        self.is_sent = False
        self.is_uncertain = False
        self.size_bytes = 0
        self.task: asyncio.Task[None] | None = None
        self.on_less: Callable[[], None] = nothing
        self.full_bytes: Final = full_bytes
        self._topic: Final = topic
        self._target: Final = target
        self._wanted: list[Wanted] = []
        self._waiting = 0
        self._later_us: list[int] = []

    @property
    def items(self) -> list[Item]:
        """Its records."""
        return [wanted.item for wanted in self._wanted]

    @property
    def wanted(self) -> list[Wanted]:
        """Those who wait for them."""
        return [wanted for wanted in self._wanted if not wanted.future.done()]

    @property
    def is_empty(self) -> bool:
        """Nobody waits for any of it."""
        return not self._waiting

    def admits(self, wanted: Wanted) -> bool:
        """Whether there is room for another record."""
        if self.is_sent or len(self._wanted) >= SCHEDULES_MAX:
            return False
        return not self._wanted or self.size_bytes + wanted.item.cost_bytes <= self.full_bytes

    def add(self, wanted: Wanted) -> None:
        """Put a record in."""
        self._wanted.append(wanted)
        self._waiting += 1
        self.size_bytes += wanted.item.cost_bytes
        wanted.holder = self

    def withdraw(self, wanted: Wanted) -> None:
        """Somebody waits no more: what was not sent stays here, and else nobody may be left."""
        self._waiting -= 1
        if not self.is_sent:
            self._wanted.remove(wanted)
            self.size_bytes -= wanted.item.cost_bytes
            self.on_less()
        if self.is_empty and self.task is not None:
            self.task.cancel()

    def message(self, body: bytes) -> m.Schedule:
        """The request; what is in it does not change any more."""
        plans = [wanted.plan for wanted in self._wanted]
        plan = plans[0]
        due_us = min(plan.due.due_us for plan in plans)
        delay_ms = min(plan.due.delay_ms for plan in plans)
        self._later_us = [
            plan.due.due_us - due_us + (plan.due.delay_ms - delay_ms) * 1000 for plan in plans
        ]
        return m.Schedule(
            *self._target,
            checksum=checksum(body),
            due_us=due_us,
            delay_ms=delay_ms,
            key=plan.key,
            cron=plan.cron,
            time_zone=plan.time_zone,
            every_ms=plan.every_ms,
            catch_up=plan.catch_up,
            later_us=pack_times(self._later_us) if len(plans) > 1 else b"",
        )

    def resolve(self, answer: m.Scheduled) -> None:
        """It is on the broker's disk."""
        places = zip(self._wanted, self._later_us, strict=True)
        for schedule_id, (wanted, later_us) in enumerate(places, answer.schedule_id):
            due = time_of(answer.due_us and answer.due_us + later_us)
            wanted.resolve(
                ScheduleReceipt(
                    self._topic,
                    self._target.partition,
                    schedule_id,
                    due,
                    answer.duplicate,
                    answer.replaced,
                )
            )

    def fail(self, error: Exception) -> None:
        """It is not, or may not be."""
        for wanted in self._wanted:
            wanted.fail(error)


def nothing() -> None:
    """Nobody wants to know."""
