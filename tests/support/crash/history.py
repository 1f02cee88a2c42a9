"""What clients saw: which value was acked where, what was read where, what a group is done with."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

Place = tuple[int, int]
"""Partition and offset."""


@dataclass
class History:
    """Values are unique. ``frozen``: the power is being cut, later acks prove nothing.

    ``disk_fails``: at times, so clients may be told. ``cuts``: how often what was not on disk may
    have got lost until now.
    """

    tried: set[bytes] = field(default_factory=set)
    acked: dict[bytes, Place] = field(default_factory=dict)
    written: dict[bytes, Place] = field(default_factory=dict)
    """What was acked as written only."""
    acked_before: dict[bytes, int] = field(default_factory=dict)
    """Which cut came next, of all that was acked."""
    uncertain: set[bytes] = field(default_factory=set)
    read: dict[Place, bytes] = field(default_factory=dict)
    streamed: set[Place] = field(default_factory=set)
    """What the stream group was handed."""
    handed_out: set[Place] = field(default_factory=set)
    settled: dict[Place, int] = field(default_factory=dict)
    """Where a queue group's ack was confirmed, and of which lease."""
    problems: list[str] = field(default_factory=list)
    frozen: bool = False
    disk_fails: bool = False
    cuts: int = 0

    def ack(self, value: bytes, place: Place, durability: str = "durable") -> None:
        """A publish was acked, as durable or as written."""
        if self.frozen:
            self.uncertain.add(value)
        else:
            acked = self.acked if durability == "durable" else self.written
            acked[value] = place
            self.acked_before[value] = self.cuts
            self.uncertain.discard(value)

    def observe(self, place: Place, value: bytes) -> None:
        """A reader got a record."""
        if self.frozen:
            return
        if self.read.setdefault(place, value) != value:
            self.problems.append(f"two values at {place}: {self.read[place]!r}, {value!r}")

    def stream(self, place: Place, value: bytes) -> None:
        """A member of the stream group got a record."""
        self.observe(place, value)
        self.streamed.add(place)

    def hand_out(self, place: Place, value: bytes, lease_id: int) -> None:
        """A consumer of the queue group got a message. Leases are numbered for ever."""
        self.observe(place, value)
        self.handed_out.add(place)
        if lease_id > self.settled.get(place, lease_id):
            self.problems.append(f"redelivered: {value!r} at {place}, whose ack was confirmed")

    def confirm(self, place: Place, lease_id: int) -> None:
        """The ack of a message was confirmed."""
        if self.frozen:
            return
        if self.settled.setdefault(place, lease_id) != lease_id:
            self.problems.append(f"two leases: the acks of both were confirmed at {place}")

    @property
    def in_flight(self) -> int:
        """Publishes that were sent and not answered."""
        return len(self.tried) - len(self.acked_before) - len(self.uncertain)


def lost(history: History, final: dict[Place, bytes]) -> list[bytes]:
    """Values that were acked as durable, and are not where the receipt said."""
    return [value for value, place in history.acked.items() if final.get(place) != value]


def lost_written(history: History, final: dict[Place, bytes]) -> Iterator[str]:
    """Values that were acked as written and are gone, though no cut came since; or though what was
    acked behind them before that cut is still there."""
    there: defaultdict[tuple[int, int], int] = defaultdict(lambda: -1)
    for value, (partition, offset) in (history.acked | history.written).items():
        if final.get((partition, offset)) == value:
            at = partition, history.acked_before[value]
            there[at] = max(there[at], offset)
    for value, place in history.written.items():
        before = history.acked_before[value]
        if final.get(place) == value:
            continue
        if before == history.cuts:
            yield f"lost: {value!r}, written at {place}, and no power was cut since"
        elif there[place[0], before] > place[1]:
            yield f"hole: {value!r}, written at {place}, is gone, and what came behind it is not"


def duplicated(final: dict[Place, bytes]) -> list[bytes]:
    """Values that are in the log twice."""
    counts = Counter(final.values())
    return [value for value, count in counts.items() if count > 1]


def judge(history: History, final: dict[Place, bytes]) -> list[str]:
    """Everything that is wrong with what fresh readers find at the end."""
    return list(_judge(history, final))


def _judge(history: History, final: dict[Place, bytes]) -> Iterator[str]:
    yield from history.problems
    for value in lost(history, final):
        yield f"lost: {value!r}, acked at {history.acked[value]}"
    yield from lost_written(history, final)
    for value in duplicated(final):
        yield f"duplicated: {value!r}"
    for place, value in final.items():
        if value not in history.tried:
            yield f"phantom: {value!r} at {place}"
    for place, value in history.read.items():
        if final.get(place) != value:
            yield f"was read and then changed or vanished: {value!r} at {place}"
    for place in final.keys() - history.handed_out:
        yield f"never handed out: {final[place]!r} at {place}"
    for place in final.keys() - history.streamed:
        yield f"never streamed: {final[place]!r} at {place}"
