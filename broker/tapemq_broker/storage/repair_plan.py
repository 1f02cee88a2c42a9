"""What a repair will keep of a log, and which gaps stand for the rest. Changes nothing."""

from enum import Enum
from itertools import pairwise
from typing import Final, NamedTuple

from tapemq.batch import Kind, LogId, checksum
from tapemq_broker.storage.appending import MARK, follow
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.diagnosis import Diagnosis
from tapemq_broker.storage.gap import Gap
from tapemq_broker.storage.record_log import NewBatch
from tapemq_broker.storage.stretches import Stretch

_MISSING: Final = "a segment is missing"
"""Why nothing is there, where nothing else says it."""


class Mode(Enum):
    """What to keep: all in front of the first bad place, or every sound batch."""

    TRUNCATE = "truncate"
    SALVAGE = "salvage"


class Hole(NamedTuple):
    """Offsets that are given up."""

    from_offset: int
    to_offset: int
    reason: str


class Mark(NamedTuple):
    """A batch that the repair writes itself: a gap, or the end."""

    data: bytes


class Output(NamedTuple):
    """A segment as it is to be: parts of itself, and marks."""

    base_offset: int
    items: list[Stretch | Mark]


class Plan(NamedTuple):
    """A repair. Segments without an output are set aside whole."""

    holes: list[Hole]
    outputs: list[Output]
    end: LogEnd


class Planner:
    """Puts a plan together, from the oldest stretch to the end."""

    def __init__(self, log_id: LogId, log_epoch: int, now_us: int) -> None:
        self._log_id = log_id
        self._log_epoch = log_epoch
        self._now_us = now_us
        self._end = LogEnd()
        self._holes: list[Hole] = []
        self._outputs: list[Output] = []

    def plan(self, found: list[Stretch], mode: Mode, known_upto: int) -> Plan:
        """Every offset below ``known_upto`` was given out once, so the log goes on behind it."""
        self._end = found[0].beginning if found else LogEnd()
        reason = _MISSING
        for stretch in found:
            if not stretch.is_sound:
                reason = stretch.reason
            elif self._can_follow(stretch) and (mode is Mode.SALVAGE or self._joins(stretch)):
                self._bridge(stretch, reason)
                self._outputs[-1].items.append(stretch)
                self._end, reason = stretch.after, _MISSING
            if mode is Mode.TRUNCATE and self._end is not stretch.after:
                break
        self._finish(known_upto, reason)
        return Plan(self._holes, self._outputs, self._end)

    def _joins(self, stretch: Stretch) -> bool:
        return self._end[:3] == stretch.before[:3]

    def _is_first(self, stretch: Stretch) -> bool:
        return not self._outputs or self._outputs[-1].base_offset != stretch.segment_base

    def _can_follow(self, stretch: Stretch) -> bool:
        """Whether there is a batch number for each gap, and the segment has the right name."""
        end, to, base = self._end, stretch.before, stretch.segment_base
        if self._joins(stretch):
            return not self._is_first(stretch) or base == end.next_offset
        gaps = 1
        if self._is_first(stretch):
            gaps = (end.next_offset < base) + (base < to.next_offset)
            if not end.next_offset <= base <= to.next_offset:
                return False
        return to.next_batch >= end.next_batch + gaps

    def _bridge(self, stretch: Stretch, reason: str) -> None:
        """Put gaps in front of a stretch: one for each segment that a hole is in."""
        to, base = stretch.before, stretch.segment_base
        if not self._joins(stretch):
            self._holes.append(Hole(self._end.next_offset, to.next_offset, reason))
        if self._is_first(stretch):
            if self._end.next_offset < base and not self._outputs:
                self._outputs.append(Output(self._end.next_offset, []))  # nothing is left of it
            if self._end.next_offset < base < to.next_offset:
                self._append(_gap_batch(Gap(base, to.next_batch - 1, 0, reason)))
            elif self._end.next_offset < base:
                self._append(_gap_batch(Gap(base, to.next_batch, to.last_checksum, reason)))
            self._outputs.append(Output(base, []))
        if not self._joins(stretch):
            gap = Gap(to.next_offset, to.next_batch, to.last_checksum, reason)
            self._append(_gap_batch(gap))

    def _finish(self, known_upto: int, reason: str) -> None:
        """End with a mark in a new epoch; or a gap, if something is known to have followed."""
        end = self._end = self._end._replace(log_epoch=self._log_epoch)
        batch = MARK
        if known_upto > end.next_offset:
            self._holes.append(Hole(end.next_offset, known_upto, reason))
            batch = _gap_batch(Gap(known_upto, end.next_batch + 1, end.last_checksum, reason))
        if not self._outputs:
            self._outputs.append(Output(end.next_offset, []))
        self._append(batch, self._now_us)

    def _append(self, batch: NewBatch, now_us: int = 0) -> None:
        header, head, end = follow(self._end, self._end, self._log_id, batch, now_us)
        header = header._replace(header_checksum=end.last_checksum)
        self._end = self._end.step(header, memoryview(batch.body), self._log_id)
        self._outputs[-1].items.append(Mark(head + bytes(batch.body)))


def _gap_batch(gap: Gap) -> NewBatch:
    body = gap.encode()
    return NewBatch(Kind.GAP, 0, body, checksum(body))


def needs_repair(diagnosis: Diagnosis, found: list[Stretch]) -> bool:
    """Whether anything is lost. A torn tail is not: the next start cuts it off by itself."""
    if diagnosis.row.refuses:
        return True
    trouble = diagnosis.survey.trouble
    kept = [
        stretch
        for stretch in found
        if trouble is None or (stretch.segment_base, stretch.start) < trouble[:2]
    ]
    if kept and kept[0].starts_late:
        return True
    joined = all(one.after[:3] == other.before[:3] for one, other in pairwise(kept))
    return not (joined and all(stretch.is_sound for stretch in kept))
