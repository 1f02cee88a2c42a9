"""Whether what a schedule log says makes sense, before anything is done about it."""

from typing import NamedTuple

from tapemq.batch import Header
from tapemq.wire.limits import PARTITIONS_MAX
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.schedules.entries import Entry, Fired, Firing, Scheduled, decode_entries
from tapemq_broker.core.schedules.recurrence import Zones, check_due, check_recurrence
from tapemq_broker.core.schedules.schedule import check_record
from tapemq_broker.storage.errors import not_understood


class Check(NamedTuple):
    """What a schedule log may say in this topic, and on this machine."""

    directory: str
    partitions: int
    zones: Zones

    def entries(self, header: Header, body: bytes | memoryview) -> list[Entry]:
        """The entries of a batch. Raises LogRefused."""
        try:
            entries = decode_entries(body)
            for entry in entries:
                self._entry(entry)
        except (ValueError, Refused) as error:
            first, end = header.base_offset, header.next_offset
            raise not_understood(self.directory, 0, first, end, str(error)) from None
        return entries

    def _entry(self, entry: Entry) -> None:
        if isinstance(entry, Scheduled):
            schedule = entry.schedule
            check_due(schedule.due_us)
            check_recurrence(schedule.recurrence, self.zones)
            check_record(schedule.record)
            # More than there are, after a power cut that took the change of the topic, too.
            _check_below(PARTITIONS_MAX, schedule.partition)
        elif isinstance(entry, Firing | Fired):
            _check_below(self.partitions, entry.partition)
        if isinstance(entry, Firing):
            for shot in entry.shots:
                check_due(shot.due_us)


def _check_below(partitions: int, number: int) -> None:
    if number >= partitions:
        raise ValueError(f"it names partition {number} of {partitions}")
