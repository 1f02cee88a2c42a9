"""The recovery table: what was found at the end of a log, and what is done about it.

The table is exhaustive, and every combination of findings meets exactly one of its patterns (a
test goes through all of them). Deciding is pure; looking is in survey.py, doing in recovery.py.

The rule behind the rows: bytes that were never acknowledged may be cut off, and are kept aside;
where anything durable points past the bad place, they were acknowledged, and nothing is touched.
What stays undecidable is damage inside the batches of the last sync before a crash.
"""

from enum import Enum
from functools import cache
from typing import Final, NamedTuple


class Place(Enum):
    """What is found where the sound part of a log ends."""

    NOTHING = "there is no batch"
    END = "the log ends with a whole batch"
    SHORT = "the file ends inside a batch"
    ZEROS = "zeros to the end of the file"
    DAMAGED = "the bytes are not what was written"
    GAP = "the segment ends before the next one begins"
    FOREIGN = "a sound batch does not belong here"
    NEWER = "a batch of a newer format"
    UNREADABLE = "the disk cannot read the bytes"


class CleanCheck(Enum):
    """How a log compares with what a clean stop noted about it."""

    ABSENT = "there was no clean stop"
    MATCHES = "the log is as the clean stop left it"
    DIFFERS = "the log is not as the clean stop left it"


class Findings(NamedTuple):
    """All that the decision depends on."""

    place: Place
    clean: CleanCheck = CleanCheck.ABSENT
    proven: bool = False
    """Something durable says that there was more: a batch behind the place that was written when
    the place was known to be on disk, a sealed segment, a group's position, a clean stop."""
    later: bool = False
    """Sound batches lie behind the place."""
    covered: bool = False
    """That all records up to the end are on disk can be proven: by a mark or a sealed segment."""
    unfinished: bool = False
    """An earlier recovery was interrupted after it had set a tail aside, before its mark."""


class Row(Enum):
    """The cases. The name is the label that logs, errors and metrics carry."""

    NEW_LOG = "nothing was ever acknowledged: make the first segment"
    CLEAN = "as the clean stop left it: open without a scan"
    COVERED = "all records are provably on disk: open"
    KEPT = "whole batches that may not be on disk: sync them and mark them as durable"
    FINISHED_CUT = "a cut was interrupted: raise the epoch"
    TORN_SHORT = "the last write did not finish: cut"
    TORN_ZEROS = "the size of a write reached the disk, its bytes did not: cut"
    TORN_LAST = "part of the last write reached the disk: cut"
    TORN_REORDERED = "writes that were never synced reached the disk out of order: cut"
    TORN_GAP = "a new segment reached the disk before the end of the last one: cut"
    CLEAN_MISMATCH = "changed since the clean stop: refuse"
    MISSING_LOG = "the log existed and is gone: refuse"
    MISSING_BYTES = "durable bytes are missing: refuse"
    MISSING_SEGMENT = "a segment is missing: refuse"
    ROT = "durable bytes are damaged: refuse"
    MISDIRECTED = "bytes of another log, or from another place: refuse"
    NEWER_FORMAT = "written by a newer version: refuse"
    UNREADABLE = "the disk fails: refuse"

    @property
    def refuses(self) -> bool:
        """Whether the log stays closed, and untouched."""
        return self.value.endswith(": refuse")

    @property
    def cuts(self) -> bool:
        """Whether a tail is set aside."""
        return self.value.endswith(": cut")


class Pattern(NamedTuple):
    """One line of the table: the row, and what findings it applies to. None means any."""

    row: Row
    place: Place | None = None
    clean: CleanCheck | None = None
    proven: bool | None = None
    later: bool | None = None
    covered: bool | None = None
    unfinished: bool | None = None

    def matches(self, findings: Findings) -> bool:
        """Whether this line applies."""
        pairs = zip(self[1:], findings, strict=True)
        return all(wanted is None or wanted is found for wanted, found in pairs)


_AS_LEFT: Final = CleanCheck.MATCHES
_UNCLEAN: Final = CleanCheck.ABSENT


def _intact(place: Place, refused: Row, *, otherwise: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    """The lines of a place that is as it should be, unless there was more."""
    return (
        Pattern(refused, place, _AS_LEFT, proven=True),
        Pattern(refused, place, _UNCLEAN, proven=True),
        Pattern(Row.CLEAN, place, _AS_LEFT, proven=False),
        Pattern(Row.FINISHED_CUT, place, _UNCLEAN, proven=False, unfinished=True),
        *(pattern._replace(proven=False, unfinished=False) for pattern in otherwise),
    )


def _broken(place: Place, refused: Row, *, otherwise: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    """The lines of a bad place: refused if it was durable, and always after a clean stop."""
    return (
        Pattern(refused, place, _AS_LEFT),
        Pattern(refused, place, _UNCLEAN, proven=True),
        *(pattern._replace(proven=False) for pattern in otherwise),
    )


def _hopeless(place: Place, refused: Row) -> tuple[Pattern, ...]:
    """The lines of a place that no crash leads to."""
    return (Pattern(refused, place, _AS_LEFT), Pattern(refused, place, _UNCLEAN))


TABLE: Final = (
    Pattern(Row.CLEAN_MISMATCH, clean=CleanCheck.DIFFERS),
    *_intact(
        Place.NOTHING,
        Row.MISSING_LOG,
        otherwise=(Pattern(Row.NEW_LOG, Place.NOTHING, _UNCLEAN),),
    ),
    *_intact(
        Place.END,
        Row.MISSING_BYTES,
        otherwise=(
            Pattern(Row.COVERED, Place.END, _UNCLEAN, covered=True),
            Pattern(Row.KEPT, Place.END, _UNCLEAN, covered=False),
        ),
    ),
    *_broken(
        Place.SHORT,
        Row.MISSING_BYTES,
        otherwise=(Pattern(Row.TORN_SHORT, Place.SHORT, _UNCLEAN),),
    ),
    *_broken(
        Place.ZEROS,
        Row.ROT,
        otherwise=(
            Pattern(Row.TORN_ZEROS, Place.ZEROS, _UNCLEAN, later=False),
            Pattern(Row.TORN_REORDERED, Place.ZEROS, _UNCLEAN, later=True),
        ),
    ),
    *_broken(
        Place.DAMAGED,
        Row.ROT,
        otherwise=(
            Pattern(Row.TORN_LAST, Place.DAMAGED, _UNCLEAN, later=False),
            Pattern(Row.TORN_REORDERED, Place.DAMAGED, _UNCLEAN, later=True),
        ),
    ),
    *_broken(
        Place.GAP,
        Row.MISSING_SEGMENT,
        otherwise=(Pattern(Row.TORN_GAP, Place.GAP, _UNCLEAN),),
    ),
    *_hopeless(Place.FOREIGN, Row.MISDIRECTED),
    *_hopeless(Place.NEWER, Row.NEWER_FORMAT),
    *_hopeless(Place.UNREADABLE, Row.UNREADABLE),
)


@cache
def decide(findings: Findings) -> Row:
    """The one row that applies."""
    (row,) = {pattern.row for pattern in TABLE if pattern.matches(findings)}
    return row
