"""What the clients of a simulated broker saw, written down on their side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from math import inf
from typing import NamedTuple


class Outcome(Enum):
    """What the caller of an operation learned."""

    PENDING = "pending"
    OK = "ok"
    FAILED = "failed"
    """It has certainly had no effect."""
    UNKNOWN = "unknown"
    """It may or may not have had its effect."""


class Place(NamedTuple):
    """Where a record is."""

    topic: str
    partition: int
    offset: int

    @property
    def log(self) -> "LogName":
        return LogName(self.topic, self.partition)


class LogName(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(slots=True)
class Publish:
    """One record published. ``number`` counts the calls of its producer."""

    producer: str
    number: int
    topic: str
    value: bytes
    invoked_s: float
    done_s: float = inf
    outcome: Outcome = Outcome.PENDING
    durable: bool = True
    place: Place | None = None
    """Unknown (None) where the SDK returns no receipt."""
    key: str | None = None


class Delivery(NamedTuple):
    """A record handed to the application by one stream object; ``generation``: of the claim under
    which it came, 0 if that is not known."""

    reader: str
    place: Place
    value: bytes
    at_s: float
    generation: int = 0


@dataclass(slots=True)
class Reader:
    """A stream object; ``group`` "" reads without a group."""

    name: str
    topic: str
    group: str
    from_start: bool
    opened_s: float
    closed_s: float = inf
    hold: bool = False
    """Retention is to keep what the group has not read."""

    def is_open_between(self, start_s: float, end_s: float) -> bool:
        """It may have owned partitions at some time between the two."""
        return self.opened_s <= end_s and self.closed_s >= start_s


@dataclass(slots=True)
class Commit:
    """A group's position, committed by a reader under a claim of this generation, or an earlier
    one."""

    reader: str
    group: str
    log: LogName
    offset: int
    invoked_s: float
    done_s: float = inf
    outcome: Outcome = Outcome.PENDING
    generation: float = inf


@dataclass(slots=True)
class Work:
    """A record handed to a worker of a queue group; what was said of it, and what came of that.

    ``verb`` "" is nothing; ``said_s``: when it was said. ``failures`` and ``crashes`` are what the
    worker was told. ``opened_s``: when it began to take records; no lease of its is older.
    """

    worker: str
    group: str
    place: Place
    value: bytes
    lease_id: int
    failures: int
    crashes: int
    at_s: float
    verb: str = ""
    outcome: Outcome = Outcome.PENDING
    said_s: float = inf
    done_s: float = inf
    opened_s: float = 0.0


@dataclass(slots=True)
class Intervention:
    """What an operator did to a queue group.

    ``verb`` "redrive" or "discard": of dead records at ``places``, listed after ``looked_s``, and
    with ``every`` of all that there were; so many were ``affected``. "seek": of ``log``, to an
    offset between ``low`` and ``high``.
    """

    verb: str
    group: str
    invoked_s: float
    done_s: float = inf
    outcome: Outcome = Outcome.PENDING
    looked_s: float = 0.0
    places: frozenset[Place] = frozenset()
    every: bool = False
    affected: int = 0
    log: LogName | None = None
    low: int = 0
    high: float = inf


@dataclass(slots=True)
class Watch:
    """A record that a reader waits for, who is there and has read all before it. ``value``: how it
    begins."""

    reader: str
    value: bytes
    published_s: float
    seen_s: float = inf


class Terms(NamedTuple):
    """What a queue group was told to do. ``retry_s``: the delay behind a failure, about;
    ``max_attempts``: 0 is no limit."""

    retry_s: float
    key_lanes: bool
    max_attempts: int = 0


class Dead(NamedTuple):
    """A dead record, as a queue group lists it."""

    place: Place
    reason: str
    failures: int = 0
    crashes: int = 0


@dataclass(slots=True)
class Schedule:
    """A record to be published later. ``cancel``: what came of that; None if nobody tried."""

    topic: str
    value: bytes
    invoked_s: float
    outcome: Outcome = Outcome.PENDING
    due: datetime | None = None
    cancel: Outcome | None = None
    done_s: float = inf


class Position(NamedTuple):
    """A group's position, as the broker told it."""

    group: str
    log: LogName
    offset: int
    invoked_s: float
    done_s: float


class Seek(NamedTuple):
    """A group's position was set, which was confirmed if it is ``made``; ``done_s`` is infinite if
    the answer never came."""

    group: str
    log: LogName
    offset: int
    invoked_s: float
    done_s: float
    made: bool = False


class Extent(NamedTuple):
    """How much there was of a log."""

    log: LogName
    first_offset: int
    next_offset: int
    size_bytes: int
    at_s: float


class Old(NamedTuple):
    """A log that nobody holds, with more than its topic keeps. What is up to ``offset`` is too
    old; ``most_bytes`` are left if it is too long."""

    extent: Extent
    settings: Mapping[str, int]
    offset: int
    most_bytes: int


class Retry(NamedTuple):
    """A record was sent twice, the first time without an answer: where that put it, and where it
    is as answered at last; None: nobody knows."""

    log: LogName
    offset: int
    answered: int | None


@dataclass(slots=True)
class Trial:
    """A reader or worker who came to grief had a record, which then came to another one.

    ``until_s``: nobody else may have it before. ``stale``: what came of the first one's commit or
    ack when the second one had it. ``attempts``: the failures and crashes with which a worker got
    it each time, ``wanted`` those that there were. ``is_dead``: whether it is, having failed as
    often as it may.
    """

    wanted: list[tuple[int, int]] = field(default_factory=list)
    until_s: float = inf
    second_s: float = inf
    stale: Outcome = Outcome.PENDING
    attempts: list[tuple[int, int]] = field(default_factory=list)
    is_dead: bool = True


class Most(NamedTuple):
    """How long a partition may get; 0: as long as it likes."""

    records: int
    size_bytes: int


@dataclass(slots=True)
class History:
    """Everything that the checker knows. Times are virtual seconds.

    ``final`` is what fresh readers found at the end, in each log from its first offset on; what
    lies below ``first_offsets`` was removed by retention, before that or even after;
    ``up`` is when a broker was there and nothing kept it from working.
    """

    publishes: list[Publish] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    readers: dict[str, Reader] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    queues: dict[str, str] = field(default_factory=dict)
    """Queue groups that have been drained at the end, and their topics."""
    terms: dict[str, Terms] = field(default_factory=dict)
    """What queue groups were told to do."""
    dead: dict[str, list[Dead]] = field(default_factory=dict)
    """What queue groups that have been drained list as dead."""
    dead_counts: dict[str, int] = field(default_factory=dict)
    """How many they say that these are."""
    interventions: list[Intervention] = field(default_factory=list)
    queue_starts: dict[tuple[str, LogName], int] = field(default_factory=dict)
    """The first offsets of logs when a queue group was made, of those made only at the end."""
    trials: list[Trial] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)
    scheduled_times: dict[bytes, datetime] = field(default_factory=dict)
    """When the broker published what was scheduled: the times of the records themselves."""
    set_back: list[datetime] = field(default_factory=list)
    """What the broker's clock showed whenever it jumped back."""
    jumps: list[float] = field(default_factory=list)
    """When the broker's clock jumped, by whatever."""
    settings: dict[str, Mapping[str, int | str]] = field(default_factory=dict)
    """What topics may remove, and when."""
    limited: set[str] = field(default_factory=set)
    """Topics whose publishers may have to wait, for as long as nobody reads."""
    dropping: dict[str, Most] = field(default_factory=dict)
    """Topics whose oldest records are dropped, one by one, beyond so much in a partition."""
    dropped_upto: dict[LogName, int] = field(default_factory=dict)
    """How far those went that have a limit in bytes: a start may find an earlier one (ADR 0008)."""
    frames: list[frozenset[bytes]] = field(default_factory=list)
    """Which values producers have put into one frame."""
    positions: list[Position] = field(default_factory=list)
    seeks: list[Seek] = field(default_factory=list)
    final: dict[LogName, dict[int, bytes]] = field(default_factory=dict)
    final_times: dict[LogName, dict[int, datetime]] = field(default_factory=dict)
    """When the broker appended what is in ``final``, as it says."""
    extents: list[Extent] = field(default_factory=list)
    old: list[Old] = field(default_factory=list)
    retries: list[Retry] = field(default_factory=list)
    first_offsets: dict[LogName, int] = field(default_factory=dict)
    topics: dict[str, bool | None] = field(default_factory=dict)
    """Topics that came and went: whether each must be there at the end; None: it may be."""
    final_topics: list[str] = field(default_factory=list)
    collapses: list[str] = field(default_factory=list)
    """Why the broker has ended itself, other than that its disk had failed."""
    leftovers: list[str] = field(default_factory=list)
    """What the broker kept when nobody was there any more."""
    misspoken: list[str] = field(default_factory=list)
    """How broker and SDK have broken the protocol."""
    losses: list[float] = field(default_factory=list)
    """When what was not synced may have got lost: power cuts, and syncs that failed."""
    up: list[tuple[float, float]] = field(default_factory=list)
    rot: bool = False
    """Reads may have returned wrong bits: what they hit may have been refused until a restart."""

    def final_places(self) -> Iterator[tuple[Place, bytes]]:
        """All records that are there at the end."""
        for log, values in self.final.items():
            for offset, value in values.items():
                yield Place(*log, offset), value

    def offsets(self, log: LogName) -> list[int]:
        """The offsets of a log that are there at the end and stay, ascending."""
        first = self.first_offsets.get(log, 0)
        return sorted(offset for offset in self.final.get(log, ()) if offset >= first)

    def final_value(self, place: Place) -> bytes | None:
        """What is at the place at the end; None if nothing is."""
        return self.final.get(place.log, {}).get(place.offset)

    def was_removed(self, place: Place) -> bool:
        """Retention has removed what was at the place."""
        return place.offset < self.first_offsets.get(place.log, 0)

    def may_be_lost_after(self, time_s: float) -> bool:
        """What was only written at this time may have got lost since."""
        return any(cut_s >= time_s for cut_s in self.losses)

    def was_sought(self, group: str, log: LogName, start_s: float, end_s: float) -> bool:
        """Someone may have set the group's position between the two times."""
        return any(
            seek.group == group
            and seek.log == log
            and seek.invoked_s <= end_s
            and seek.done_s >= start_s
            for seek in self.seeks
        )

    def operations(self) -> int:
        """How many calls the clients made and how many records they were handed."""
        calls = len(self.publishes) + len(self.commits) + len(self.seeks) + len(self.schedules)
        calls += len(self.interventions)
        return calls + len(self.deliveries) + len(self.works) + sum(map(len, self.final.values()))
