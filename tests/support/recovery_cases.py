"""Logs as crashes, rot and mistakes leave them, each with the row that recovery must decide on.

Each log has three segments: 0 to 5 sealed, 6 to 11 full and on disk, 12 to 17 with a tail of
which the last two batches were never synced. A batch has two records, and starts at an even offset.
"""

from collections.abc import Callable
from typing import NamedTuple

from tapemq.batch import HEADER_BYTES, LogId, Role, checksum
from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.diagnosis import Claims
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.paths import index_path, segment_path
from tests.support.disk_image import flipped, make_disk, take_image
from tests.support.raw_log import DIRECTORY, LOG_ID, Placed, RawLog

DURABLE_UPTO = 14
"""Offsets below this were acknowledged."""


def build_log(*, log_id: LogId = LOG_ID) -> RawLog:
    """The log before anything happens to it."""
    log = RawLog(MemoryDisk(), log_id=log_id)
    for number in range(9):
        if number in (3, 6):
            log.roll()
        log.data(b"first of %d" % number, b"second " * 10)
        if number < 7:
            log.synced()
    log.seal(0)
    return log


class Damage:
    """A log under the knife: its files as bytes, and what the caller of recovery will claim."""

    def __init__(self) -> None:
        self.log = build_log()
        self.image = take_image(self.log.disk)
        self.claims = Claims()

    def disk(self) -> MemoryDisk:
        """A disk with the files as they are now."""
        return make_disk(self.image)

    def retake(self) -> None:
        """Take the files anew, after the log was written to."""
        self.image = take_image(self.log.disk)

    def path(self, base: int) -> str:
        return segment_path(DIRECTORY, base)

    def placed(self, offset: int) -> Placed:
        return next(p for p in self.log.placed if p.header.base_offset == offset)

    def flip(self, offset: int, byte: int) -> None:
        """Turn a bit of the batch at ``offset`` over."""
        placed = self.placed(offset)
        path = self.path(placed.segment_base)
        self.image[path] = flipped(self.image[path], 8 * (placed.position + byte))

    def cut(self, offset: int, byte: int = 0) -> None:
        """End the segment inside the batch at ``offset``."""
        placed = self.placed(offset)
        path = self.path(placed.segment_base)
        self.image[path] = self.image[path][: placed.position + byte]

    def zero(self, offset: int, upto: int | None = None) -> None:
        """Zero the batch at ``offset``, or all up to the batch at ``upto``."""
        placed = self.placed(offset)
        end = self.placed(upto).position if upto else len(self.image[self.path(12)])
        path = self.path(placed.segment_base)
        data = self.image[path]
        hole = bytes(end - placed.position)
        self.image[path] = data[: placed.position] + hole + data[end:]

    def keep_only(self, *bases: int) -> None:
        for base in {0, 6, 12}.difference(bases):
            self.image.pop(self.path(base))
            self.image.pop(index_path(DIRECTORY, base), None)

    def append(self, data: bytes) -> None:
        self.image[self.path(12)] += data


class Case(NamedTuple):
    """What happened, which row must apply, and below which offset everything is then there."""

    name: str
    happens: Callable[[Damage], object]
    row: Row
    kept_upto: int = 0


def _close(damage: Damage) -> None:
    damage.log.synced()
    damage.claims = Claims(clean=damage.log.clean_entry())


def _mark(damage: Damage) -> None:
    damage.log.mark()
    damage.retake()


def _seal(damage: Damage) -> None:
    damage.log.seal()
    damage.retake()


def _lose_end_of_unsynced_segment(damage: Damage) -> None:
    """Two segments had unsynced ends, and only that of the newer one reached the disk."""
    log = RawLog(MemoryDisk())
    log.data(b"a", b"b")
    log.synced()
    log.data(b"c", b"d")
    log.roll()
    log.data(b"e", b"f")
    damage.log, damage.image = log, take_image(log.disk)
    damage.image[damage.path(0)] = damage.image[damage.path(0)][: log.placed[0].end]


def _lose_mark_of_idle_log(damage: Damage) -> None:
    """A log had come to rest and been marked; what came then is in a new segment, without it."""
    log = RawLog(MemoryDisk())
    log.data(b"a", b"b")
    log.mark()
    log.roll()
    log.data(b"c", b"d")
    damage.log, damage.image = log, take_image(log.disk)
    damage.image[damage.path(0)] = damage.image[damage.path(0)][: log.placed[0].end]


def _remove_durable_mark(damage: Damage) -> None:
    """The next batch, in a new segment, was written when the mark was on disk."""
    mark = damage.log.mark()
    damage.log.roll()
    damage.log.mark()
    damage.retake()
    damage.image[damage.path(12)] = damage.image[damage.path(12)][: mark.position]


def _interrupt_cut(damage: Damage) -> None:
    """A recovery got as far as cutting the last batch off."""
    placed = damage.placed(16)
    torn = f"{DIRECTORY}/{12:020}-{placed.position}-1.torn-5"
    damage.image[torn] = b"what was cut off"
    damage.cut(16)


def _interrupt_first_cut(damage: Damage) -> None:
    damage.image = {
        damage.path(0): b"",
        f"{DIRECTORY}/{0:020}-0-1.torn-5": b"all that there was",
    }


def _newer(damage: Damage) -> None:
    head = bytearray(damage.placed(16).data[: HEADER_BYTES - 4])
    head[4] = 2
    damage.cut(16)
    damage.append(bytes(head) + checksum(head).to_bytes(4, "big"))


def _foreign(damage: Damage) -> None:
    other = build_log(log_id=LogId(8, 0, Role.DATA))
    damage.cut(16)
    damage.append(other.placed[8].data)


def _clean_then(happens: Callable[[Damage], object]) -> Callable[[Damage], object]:
    def both(damage: Damage) -> None:
        _close(damage)
        happens(damage)

    return both


def _claim(claims: Claims) -> Callable[[Damage], object]:
    def happens(damage: Damage) -> None:
        damage.claims = claims

    return happens


def _gone(claims: Claims) -> Callable[[Damage], object]:
    def happens(damage: Damage) -> None:
        damage.image, damage.claims = {}, claims

    return happens


def _and(*steps: Callable[[Damage], object]) -> Callable[[Damage], object]:
    def happens(damage: Damage) -> None:
        for step in steps:
            step(damage)

    return happens


CASES = (
    Case("no directory", lambda d: setattr(d, "image", {}), Row.NEW_LOG),
    Case(
        "made, never written",
        lambda d: setattr(d, "image", {d.path(0): b""}),
        Row.NEW_LOG,
    ),
    Case("no directory, but it must exist", _gone(Claims(must_exist=True)), Row.MISSING_LOG),
    Case("no directory, but a group was here", _gone(Claims(durable_floor=3)), Row.MISSING_LOG),
    Case("clean stop", _close, Row.CLEAN, 18),
    Case(
        "clean stop without an index",
        _clean_then(lambda d: d.image.pop(index_path(DIRECTORY, 0))),
        Row.CLEAN,
        18,
    ),
    Case("clean stop, then shorter", _clean_then(lambda d: d.cut(16, 9)), Row.CLEAN_MISMATCH),
    Case("clean stop, then longer", _clean_then(lambda d: d.append(b"x")), Row.CLEAN_MISMATCH),
    Case(
        "clean stop, then last header rots",
        _clean_then(lambda d: d.flip(16, 30)),
        Row.CLEAN_MISMATCH,
    ),
    Case(
        "clean stop, then last body rots",
        _clean_then(lambda d: d.flip(16, 100)),
        Row.CLEAN_MISMATCH,
    ),
    Case(
        "clean stop, then last segment gone",
        _clean_then(lambda d: d.keep_only(0, 6)),
        Row.CLEAN_MISMATCH,
    ),
    Case(
        "clean stop, then first segment gone",
        _clean_then(lambda d: d.keep_only(6, 12)),
        Row.CLEAN_MISMATCH,
    ),
    Case(
        "clean stop, then all gone",
        _clean_then(lambda d: setattr(d, "image", {})),
        Row.CLEAN_MISMATCH,
    ),
    Case(
        "clean stop, then earlier segment short",
        _clean_then(lambda d: d.cut(10, 50)),
        Row.MISSING_BYTES,
    ),
    Case("clean stop, then earlier segment rots", _clean_then(lambda d: d.flip(10, 100)), Row.ROT),
    Case(
        "clean stop, then first header of a segment rots",
        _clean_then(lambda d: d.flip(6, 3)),
        Row.ROT,
    ),
    Case(
        "clean stop, then middle segment gone",
        _clean_then(lambda d: d.keep_only(0, 12)),
        Row.MISSING_SEGMENT,
    ),
    Case("crash with whole batches", lambda d: None, Row.KEPT, 18),
    Case("crash without any index", lambda d: d.image.pop(index_path(DIRECTORY, 0)), Row.KEPT, 18),
    Case("crash while idle", _mark, Row.COVERED, 18),
    Case(
        "crash at once after sealing",
        _seal,
        Row.COVERED,
        18,
    ),
    Case("last write ends in its header", lambda d: d.cut(16, 40), Row.TORN_SHORT, 16),
    Case("last write ends in its body", lambda d: d.cut(16, 100), Row.TORN_SHORT, 16),
    Case("last batch never reached the disk", lambda d: d.cut(16), Row.KEPT, 16),
    Case("no unsynced batch reached the disk", lambda d: d.cut(14), Row.KEPT, 14),
    Case("unsynced batches are zeros", lambda d: d.zero(14), Row.TORN_ZEROS, 14),
    Case("the last header is damaged", lambda d: d.flip(16, 20), Row.TORN_LAST, 16),
    Case("the last body is damaged", lambda d: d.flip(16, 100), Row.TORN_LAST, 16),
    Case(
        "an unsynced batch before the last is damaged",
        lambda d: d.flip(14, 100),
        Row.TORN_REORDERED,
        14,
    ),
    Case(
        "an unsynced batch before the last is zeros",
        lambda d: d.zero(14, 16),
        Row.TORN_REORDERED,
        14,
    ),
    Case("only the newer segment reached the disk", _lose_end_of_unsynced_segment, Row.TORN_GAP, 2),
    Case(
        "only the segment behind a mark reached the disk", _lose_mark_of_idle_log, Row.TORN_GAP, 2
    ),
    Case(
        "a mark that was on disk is gone from the end of a segment",
        _remove_durable_mark,
        Row.MISSING_SEGMENT,
    ),
    Case("recovery died behind its cut", _interrupt_cut, Row.FINISHED_CUT, 16),
    Case("recovery died behind a cut to nothing", _interrupt_first_cut, Row.FINISHED_CUT),
    Case("durable batch rots", lambda d: d.flip(12, 100), Row.ROT),
    Case("durable header rots", lambda d: d.flip(12, 50), Row.ROT),
    Case("durable batch is zeros", lambda d: d.zero(12, 14), Row.ROT),
    Case("durable batch in a segment that is not sealed rots", lambda d: d.flip(8, 100), Row.ROT),
    Case("first batch behind a sealed segment rots", lambda d: d.flip(6, 100), Row.ROT),
    Case("last header of a sealed segment rots", lambda d: d.flip(4, 10), Row.ROT),
    Case(
        "last batch rots, but a group was behind it",
        _and(lambda d: d.flip(16, 100), _claim(Claims(durable_floor=17))),
        Row.ROT,
    ),
    Case(
        "log ends before a group's position",
        _and(lambda d: d.cut(16), _claim(Claims(durable_floor=17))),
        Row.MISSING_BYTES,
    ),
    Case("durable segment is short", lambda d: d.cut(10, 30), Row.MISSING_BYTES),
    Case("sealed segment is short", lambda d: d.cut(4, 30), Row.MISSING_BYTES),
    Case("sealed segment ends with an earlier batch", lambda d: d.cut(4), Row.MISSING_SEGMENT),
    Case(
        "last segment is gone, its seal is not",
        _and(_seal, lambda d: d.image.pop(d.path(12))),
        Row.MISSING_BYTES,
    ),
    Case("middle segment is gone", lambda d: d.keep_only(0, 12), Row.MISSING_SEGMENT),
    Case(
        "oldest remaining segment is empty",
        _and(lambda d: d.keep_only(12), lambda d: d.cut(12)),
        Row.MISSING_BYTES,
    ),
    Case(
        "first batch of the oldest remaining segment rots",
        _and(lambda d: d.keep_only(12), lambda d: d.cut(14), lambda d: d.flip(12, 100)),
        Row.ROT,
    ),
    Case("older segments removed by retention", lambda d: d.keep_only(12), Row.KEPT, 18),
    Case("old batch at the end", lambda d: d.append(d.placed(2).data), Row.MISDIRECTED),
    Case("batch of another log at the end", _foreign, Row.MISDIRECTED),
    Case(
        "segments that overlap",
        lambda d: d.image.update({d.path(15): d.image[d.path(12)]}),
        Row.MISDIRECTED,
    ),
    Case(
        "segment under another name",
        lambda d: d.image.update({d.path(12): d.image[d.path(6)]}),
        Row.MISDIRECTED,
    ),
    Case("garbage at the end", lambda d: d.append(b"garbage" * 20), Row.TORN_LAST, 18),
    Case("a few bytes of garbage at the end", lambda d: d.append(b"garbage"), Row.TORN_SHORT, 18),
    Case("zeros at the end", lambda d: d.append(bytes(4096)), Row.TORN_ZEROS, 18),
    Case("newer format", _newer, Row.NEWER_FORMAT),
)


def prepare(case: Case) -> tuple[MemoryDisk, Claims]:
    """A disk on which the case has happened, and what is claimed about the log."""
    damage = Damage()
    case.happens(damage)
    return damage.disk(), damage.claims
