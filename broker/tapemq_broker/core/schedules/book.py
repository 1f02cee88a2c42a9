"""The schedules of one topic: what may be done with them, and what their log is to say.

What is pending is in an index that takes a while to answer. So whoever asks for a change has
looked the schedule up already (``found``), and what happened since is in ``recent``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from tapemq.batch import BodyPrefix, LogId, Numbers, Role, checksum
from tapemq_broker.core.effects import Effects, Journal, ReplyWhenDurable, Request
from tapemq_broker.core.producers import Producers
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import Done, ScheduleResult
from tapemq_broker.core.schedules.entries import (
    Cancelled,
    Entry,
    Fired,
    Firing,
    Moved,
    Scheduled,
    Shot,
    encode_entries,
)
from tapemq_broker.core.schedules.recent import Backlog, Recent
from tapemq_broker.core.schedules.recurrence import Times
from tapemq_broker.core.schedules.schedule import Move, Recurrence, Schedule

RECENT_BYTES_MAX: Final = 8 * 1024 * 1024
"""What may wait for the index, per topic; and of the largest records, one more."""

BACKLOG_BYTES_MAX: Final = 64 * 1024 * 1024
"""And of all topics together."""

_NOBODY: Final = Numbers()


def _id_at(offset: int) -> int:
    """Ids are never 0, which means none."""
    return offset + 1


class Wish(NamedTuple):
    """What a client wants to be scheduled: records, each of them due ``later_us`` behind a time.

    One that has a key or recurs is alone.
    """

    partition: int
    due_us: int
    later_us: Sequence[int]
    key: bytes
    recurrence: Recurrence
    records: Sequence[bytes]


class Due(NamedTuple):
    """A schedule whose time has come."""

    schedule: Schedule
    times: Times

    @property
    def move(self) -> Move:
        """What becomes of it."""
        fired = self.schedule.fired + len(self.times.fire_us)
        return Move(self.schedule.schedule_id, self.times.next_us, fired)


class ActiveFiring(NamedTuple):
    """A firing whose end is not in the schedule log. ``next_offset`` is behind its entry."""

    entry: Firing
    due: Sequence[Due]
    next_offset: int


class Book:
    """See the module's text. ``count`` is of what is pending."""

    def __init__(self, topic_id: int, backlog: Backlog | None = None) -> None:
        self.log = LogId(topic_id, 0, Role.SCHEDULE)
        self.producers = Producers()
        self.recent = Recent(backlog)
        self.firings: dict[int, ActiveFiring] = {}
        self._busy: set[int] = set()
        # What has changed since what is due was looked up; None: that is not being fired now.
        self._changed: set[int] | None = None
        self.count = 0
        self.next_offset = 0

    def forget_recent(self) -> None:
        """The index will say all of it."""
        self.recent.discard()
        self.recent = Recent(self.recent.backlog)

    def is_firing(self, schedule_id: int) -> bool:
        """Whether it is too late to change a schedule before it has fired."""
        return schedule_id in self._busy

    def repeats(self, prefix: BodyPrefix) -> int | None:
        """The first id that a retry has got before; None for what is new. Raises Refused."""
        repeated = self.producers.check(prefix)
        return None if repeated is None else _id_at(repeated.base_offset)

    def schedule(
        self,
        request: Request,
        prefix: BodyPrefix,
        wish: Wish,
        replaced: Schedule | None,
        now_us: int,
        heard_us: int | None = None,
    ) -> Effects:
        """Note schedules that do not repeat others; one of them may be ``replaced``.

        ``heard_us``: see Broker.publish(). Raises Refused.
        """
        backlog_bytes = self.recent.backlog.size_bytes
        if self.recent.size_bytes > RECENT_BYTES_MAX or backlog_bytes > BACKLOG_BYTES_MAX:
            raise Refused("overloaded", "the index of schedules is behind; try again", 0.1)
        old_id = replaced.schedule_id if replaced else 0
        entries = [Scheduled(new, old_id) for new in self._schedules(wish, now_us)]
        numbers = Numbers(prefix.producer_id, prefix.producer_epoch, prefix.first_sequence, now_us)

        def then(offset: int) -> Effects:
            self.producers.observe(prefix, offset, now_us if heard_us is None else heard_us)
            for at, entry in enumerate(entries, offset):
                self.recent.scheduled(at, entry)
            self._note_changed([old_id])
            self.count += 0 if replaced else len(entries)
            result = ScheduleResult(_id_at(offset), wish.due_us, False, replaced is not None)
            return [ReplyWhenDurable(self.log, self.next_offset, request, result)]

        return [self._journal(entries, then, request, numbers)]

    def _schedules(self, wish: Wish, now_us: int) -> Iterator[Schedule]:
        places = zip(wish.later_us, wish.records, strict=True)
        for schedule_id, (later_us, record) in enumerate(places, _id_at(self.next_offset)):
            due_us = wish.due_us + later_us
            yield Schedule(
                schedule_id, due_us, wish.partition, wish.key, record, now_us, wish.recurrence
            )

    def cancel(self, request: Request, found: Schedule) -> Effects:
        """Forget a schedule."""

        def then(offset: int) -> Effects:
            self.recent.cancelled(offset, found)
            self._note_changed([found.schedule_id])
            self.count -= 1
            return [ReplyWhenDurable(self.log, offset + 1, request, Done())]

        return [self._journal([Cancelled(found.schedule_id)], then, request)]

    def _journal(
        self,
        entries: Sequence[Entry],
        then: Callable[[int], Effects],
        request: Request | None = None,
        numbers: Numbers = _NOBODY,
    ) -> Journal:
        body = encode_entries(entries, numbers)
        count = len(entries)

        def written(offset: int) -> Effects:
            self.next_offset = offset + count
            return then(offset)

        return Journal(self.log, self.next_offset, count, body, checksum(body), written, request)

    # Firing

    def look(self) -> None:
        """What is due is looked up from now on: still_due() is about this look, until looked()."""
        self._changed = self.recent.changed()  # the index does not know of these yet

    def looked(self) -> None:
        """All that was due has been fired, or will be looked up again."""
        self._changed = None

    def _note_changed(self, ids: Iterable[int]) -> None:
        if self._changed is not None:
            self._changed.update(ids)

    def still_due(self, due: Sequence[Due]) -> list[Due]:
        """Without what is firing already, or was changed since it was looked up: that may have
        gone into the index meanwhile."""
        changed = self._changed or ()
        return [
            one
            for one in due
            if one.schedule.schedule_id not in self._busy
            and one.schedule.schedule_id not in changed
            and self.recent.find(one.schedule.schedule_id) is None
        ]

    def fire(self, partition: int, place: tuple[int, int], due: Sequence[Due]) -> Effects:
        """Begin to append what is due to a partition, from a producer's epoch and sequence on."""
        shots = [
            Shot(one.schedule.schedule_id, time_us) for one in due for time_us in one.times.fire_us
        ]
        entry = Firing(partition, *place, tuple(shots))

        def then(offset: int) -> Effects:
            self.recent.fires(offset, entry)
            self.resume(ActiveFiring(entry, due, offset + 1))
            return []

        return [self._journal([entry], then)]

    def resume(self, firing: ActiveFiring) -> None:
        """A firing is under way, maybe since before the broker was started."""
        self.firings[firing.entry.partition] = firing
        self._busy.update(one.schedule.schedule_id for one in firing.due)

    def abandon(self, partition: int) -> Effects:
        """The scheduler is not known to the partition any more: another firing takes its place."""
        return self._end_firing(partition, ())

    def fired(self, partition: int) -> Effects:
        """What was to be appended to a partition is on disk."""
        return self._end_firing(partition, self.firings[partition].due)

    def _end_firing(self, partition: int, done: Sequence[Due]) -> Effects:
        entry = Fired(partition, tuple(one.move for one in done))

        def then(offset: int) -> Effects:
            firing = self.firings.pop(partition)
            self._busy.difference_update(one.schedule.schedule_id for one in firing.due)
            return self._move(offset, entry, done)

        return [self._journal([entry], then)]

    def pass_over(self, due: Sequence[Due]) -> Effects:
        """Set schedules to their next time without firing them."""
        entry = Moved(tuple(one.move for one in due))
        return [self._journal([entry], lambda offset: self._move(offset, entry, due))]

    def _move(self, offset: int, entry: Fired | Moved, due: Sequence[Due]) -> Effects:
        by_id = {one.schedule.schedule_id: one.schedule for one in due}
        self.recent.moved(offset, entry, by_id)
        self._note_changed(by_id)
        self.count -= sum(move.due_us == 0 for move in entry.moves)
        return []

    # Compaction

    def rewrite(self, schedules: Sequence[Schedule]) -> Effects:
        """Write again, at the end of the log, what is pending and did not change."""
        entries = [
            Scheduled(schedule)
            for schedule in schedules
            if not self.is_firing(schedule.schedule_id)
            and self.recent.find(schedule.schedule_id) is None
        ]

        def then(offset: int) -> Effects:
            for at, entry in enumerate(entries, offset):
                self.recent.scheduled(at, entry)
            return []

        return [self._journal(entries, then)] if entries else []
