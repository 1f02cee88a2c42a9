"""The seam to the index of schedules.

An index is a cache of what the schedule logs say: it can be deleted, and is made again from them.
All calls block, and are made by one at a time. What a crash keeps of it is some earlier state of
it, whole.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple, Protocol

ANY_BYTES: Final = 2**62


class IndexDamaged(Exception):
    """The index cannot be trusted any more; reset() it."""


class Row(NamedTuple):
    """A pending schedule. ``position`` is the offset of the newest entry that states it.

    ``key`` may be empty; ``head`` and ``record`` are not looked into.
    """

    schedule_id: int
    position: int
    due_us: int
    partition: int
    key: bytes
    fired: int
    head: bytes
    record: bytes


class Put(NamedTuple):
    """A schedule is pending as the row says."""

    row: Row


class Remove(NamedTuple):
    """A schedule is pending no more, if it was."""

    schedule_id: int


class Move(NamedTuple):
    """A schedule that is pending is due at another time."""

    schedule_id: int
    due_us: int
    fired: int


class BeginFiring(NamedTuple):
    """A firing of a partition is under way; at most one, the last one counts."""

    partition: int
    position: int
    data: bytes


class EndFiring(NamedTuple):
    """It is over."""

    partition: int


Operation = Put | Remove | Move | BeginFiring | EndFiring


class TopicState(NamedTuple):
    """What the index says of a topic: all that its log says below ``upto``."""

    upto: int = 0
    pending: int = 0
    firings: tuple[BeginFiring, ...] = ()


class DueRow(NamedTuple):
    """A row and its topic."""

    topic_id: int
    row: Row


Partition = tuple[int, int]
"""A topic's id and the number of a partition."""


class LeftOut(NamedTuple):
    """What nobody asks for: some partitions, and some topics with all of theirs."""

    partitions: Collection[Partition] = ()
    topics: Collection[int] = ()


NOTHING: Final = LeftOut()


class Inspection(Protocol):
    """A look at all that there was when it began."""

    def run(self) -> None:
        """Look, in any thread, beside all other calls."""

    def give_up(self) -> None:
        """End soon, and find nothing; reset() and close() of the index do it, too."""


class ScheduleIndex(Protocol):
    """Pending schedules of all topics. Raises IndexDamaged; and OSError if it cannot work now."""

    def inspection(self) -> Inspection | None:
        """What finds damage that nobody meets; None where there can be none."""

    def topics(self) -> list[int]:
        """The topics that it knows."""

    def state(self, topic_id: int) -> TopicState:
        """How far it is with a topic."""

    def apply(self, topic_id: int, upto: int, operations: Sequence[Operation]) -> None:
        """Carry out what the log of a topic says up to an offset; all of it or nothing."""

    def find(self, topic_id: int, schedule_id: int) -> Row | None:
        """A schedule by its id."""

    def find_key(self, topic_id: int, key: bytes) -> Row | None:
        """A schedule by its key."""

    def due(
        self, now_us: int, limit: int, max_bytes: int, without: LeftOut = NOTHING
    ) -> list[DueRow]:
        """Rows due at ``now_us`` or before, in order; up to ``limit``, about ``max_bytes``."""

    def next_due_us(self, after_us: int, without: LeftOut = NOTHING) -> int | None:
        """When the first row behind a time is due; or a time before that, to look again then."""

    def page(
        self, topic_id: int, after_us: int, after_id: int, limit: int, max_bytes: int = ANY_BYTES
    ) -> list[Row]:
        """Rows of a topic in the order of time and id, behind a time and id; as many as due()."""

    def oldest(self, topic_id: int, limit: int, max_bytes: int) -> list[Row]:
        """Rows of a topic in the order of their positions."""

    def check_none_before(self, topic_id: int, offset: int) -> None:
        """Raise IndexDamaged if a row has a position before an offset; oldest() may have lost it.

        For where an entry of the log goes for good. Ids are offsets of first entries, plus one.
        """

    def forget(self, topic_id: int) -> None:
        """A topic is gone."""

    def reset(self) -> None:
        """Begin anew, with nothing."""

    def close(self) -> None:
        """Let go of it."""
