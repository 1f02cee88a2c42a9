"""What a schedule log says and the index does not say yet.

Two layers: one that grows, and one that is frozen while it is moved into the index, as soon as it
is durable in the log.
"""

from typing import Final, NamedTuple

from tapemq_broker.core.schedules.entries import Cancelled, Entry, Fired, Moved, Scheduled
from tapemq_broker.core.schedules.schedule import Move, Schedule

_ENTRY_BYTES: Final = 600
"""What an entry costs besides its record, about."""


class Placed(NamedTuple):
    """An entry, and the offset that it has in the log."""

    offset: int
    entry: Entry


class Known(NamedTuple):
    """What has become of a schedule: None if it is pending no more."""

    schedule: Schedule | None


_GONE: Final = Known(None)


class Layer:
    """Entries in order, and what they come to."""

    def __init__(self) -> None:
        self.entries: list[Placed] = []
        self.size_bytes = 0
        self.by_id: dict[int, Known] = {}
        self.by_key: dict[bytes, int] = {}
        self.changed: set[int] = set()
        """Those that are not any more as the index has them; new ones are not among them."""


class Backlog:
    """What the layers of all topics keep in memory, about."""

    def __init__(self) -> None:
        self.size_bytes = 0


class Recent:
    """The layers of one topic."""

    def __init__(self, backlog: Backlog | None = None) -> None:
        self.backlog: Final = backlog or Backlog()
        self._growing = Layer()
        self._frozen: Layer | None = None

    @property
    def size_bytes(self) -> int:
        """What is kept in memory, about."""
        return self._growing.size_bytes + (self._frozen.size_bytes if self._frozen else 0)

    def find(self, schedule_id: int) -> Known | None:
        """What is said of a schedule here; None: the index has the last word."""
        for layer in self._layers():
            if schedule_id in layer.by_id:
                return layer.by_id[schedule_id]
        return None

    def changed(self) -> set[int]:
        """The schedules that have gone, or have another time, since the index was told of them."""
        return {schedule_id for layer in self._layers() for schedule_id in layer.changed}

    def find_key(self, key: bytes) -> Known | None:
        """What is pending under a key; None: the index has the last word."""
        for layer in self._layers():
            if key in layer.by_key:
                return self.find(layer.by_key[key]) or _GONE
        return None

    def _layers(self) -> list[Layer]:
        return [self._growing, self._frozen] if self._frozen else [self._growing]

    # Growing

    def scheduled(self, offset: int, entry: Scheduled) -> None:
        """A schedule was added, or written again."""
        schedule, layer = entry.schedule, self._growing
        self._place(offset, entry)
        self._grow(_size_bytes(schedule))
        if entry.replaces:
            layer.by_id[entry.replaces] = _GONE
            layer.changed.add(entry.replaces)
        layer.by_id[schedule.schedule_id] = Known(schedule)
        if schedule.key:
            layer.by_key[schedule.key] = schedule.schedule_id

    def cancelled(self, offset: int, schedule: Schedule) -> None:
        """A schedule was cancelled."""
        self._place(offset, Cancelled(schedule.schedule_id))
        self._forget(schedule)

    def moved(self, offset: int, entry: Fired | Moved, schedules: dict[int, Schedule]) -> None:
        """Schedules have another time, or are done."""
        self._place(offset, entry)
        for move in entry.moves:
            self._move(schedules[move.schedule_id], move)

    def fires(self, offset: int, entry: Entry) -> None:
        """A firing has begun: nothing changes for what is pending."""
        self._place(offset, entry)

    def _place(self, offset: int, entry: Entry) -> None:
        self._growing.entries.append(Placed(offset, entry))
        self._grow(_ENTRY_BYTES)

    def _grow(self, size_bytes: int) -> None:
        self._growing.size_bytes += size_bytes
        self.backlog.size_bytes += size_bytes

    def _move(self, schedule: Schedule, move: Move) -> None:
        if move.due_us == 0:
            self._forget(schedule)
            return
        moved = schedule._replace(due_us=move.due_us, fired=move.fired)
        self._growing.by_id[move.schedule_id] = Known(moved)
        self._growing.changed.add(move.schedule_id)
        self._grow(_size_bytes(schedule))

    def _forget(self, schedule: Schedule) -> None:
        self._growing.by_id[schedule.schedule_id] = _GONE
        self._growing.changed.add(schedule.schedule_id)
        if schedule.key:
            self._growing.by_key[schedule.key] = schedule.schedule_id

    # Into the index

    def freeze(self) -> Layer | None:
        """What is to go into the index next; None if there is nothing, or it is under way."""
        if self._frozen is not None or not self._growing.entries:
            return None
        self._frozen, self._growing = self._growing, Layer()
        return self._frozen

    def indexed(self) -> None:
        """The frozen layer is in the index."""
        if self._frozen is not None:
            self.backlog.size_bytes -= self._frozen.size_bytes
            self._frozen = None

    def discard(self) -> None:
        """Nobody asks any more what is kept here."""
        self.backlog.size_bytes -= self.size_bytes
        self._growing, self._frozen = Layer(), None


def _size_bytes(schedule: Schedule) -> int:
    cron, time_zone, *_ = schedule.recurrence
    return len(schedule.record) + len(schedule.key) + len(cron) + len(time_zone)
