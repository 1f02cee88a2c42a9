"""The schedules of a topic, without asyncio: looking at them, and cancelling them."""

from collections.abc import Iterator
from typing import Final, Protocol, TypeVar

from tapemq.inquiries import Inquiry
from tapemq.schedules import inquiries
from tapemq.schedules.due import wire_due
from tapemq.schedules.info import ScheduledRecord, ScheduleInfo

T = TypeVar("T")


class Inquire(Protocol):
    """Carries an admin call out."""

    def __call__(self, inquiry: Inquiry[T]) -> T:
        """What it comes to."""


class Schedules:
    """What ``client.schedules(topic)`` returns. All calls raise TopicNotFound and TimeoutError."""

    def __init__(self, inquire: Inquire, topic: str) -> None:
        self.topic: Final = topic
        self._inquire: Final = inquire

    def get(
        self, schedule_id: int | None = None, *, key: bytes | str | None = None
    ) -> ScheduleInfo:
        """A pending schedule, by its id or the key that it was given. Raises ScheduleNotFound."""
        info, _ = self._look_up(schedule_id, key)
        return info

    def record(
        self, schedule_id: int | None = None, *, key: bytes | str | None = None
    ) -> ScheduledRecord:
        """The record of a pending schedule. Raises ScheduleNotFound."""
        _, record = self._look_up(schedule_id, key)
        return record

    def _look_up(
        self, schedule_id: int | None, key: bytes | str | None
    ) -> tuple[ScheduleInfo, ScheduledRecord]:
        name = inquiries.name_of(schedule_id, key)
        return self._inquire(inquiries.get(self.topic, name))

    def cancel(self, schedule_id: int | None = None, *, key: bytes | str | None = None) -> None:
        """Forget a pending schedule; when this returns, that is on disk.

        Raises ScheduleNotFound (also if it has just come into its topic), or IndeterminateError
        if the connection was lost before the answer came.
        """
        name = inquiries.name_of(schedule_id, key)
        self._inquire(inquiries.cancel(self.topic, name))

    def list(self) -> Iterator[ScheduleInfo]:
        """All pending schedules in the order of their times; read in pages."""
        after_us, after_id, more = 0, 0, True
        while more:
            page = self._inquire(inquiries.page(self.topic, after_us, after_id))
            yield from page.schedules
            more = page.more
            if page.schedules:
                last = page.schedules[-1]
                after_us, after_id = wire_due(None, last.due).due_us, last.schedule_id

    def count(self) -> int:
        """How many are pending; takes the same time however many they are."""
        page = self._inquire(inquiries.page(self.topic, 2**64 - 1, 2**64 - 1))
        return page.total
