"""Records that gather to leave together."""

from collections.abc import Iterator, Sequence
from itertools import repeat, takewhile
from typing import Protocol, TypeVar

from tapemq.batch import BODY_PREFIX_BYTES, Columns
from tapemq.publishing.item import RECORD_COST_BYTES, Item, Value
from tapemq.wire import messages as m


class Waiter(Protocol):
    """Somebody who wants the receipt of one record."""

    batch: "OpenBatch | None"

    def settle(self, partition: int, offset: int, receipt: m.Receipt) -> None:
        """The record is in the log; ``receipt`` is its batch's."""

    def fail(self, error: Exception) -> None:
        """It is not, or may not be."""


class OpenBatch:
    """A batch that is being filled, by column.

    ``room`` and ``values`` are the producer's hot path: a record that has neither key nor headers
    costs an append of its value and a subtraction. Columns of keys and headers are filled up when
    they are needed.
    """

    __slots__ = (
        "expires", "extras", "full_bytes", "keys", "leaves_at", "level", "room", "sealed",
        "started_at", "values", "waiters",
    )  # fmt: skip

    def __init__(self, full_bytes: int, level: int, started_at: float, linger_s: float) -> None:
        self.values: list[bytes | None] = []
        self.keys: list[bytes | None] = []
        self.extras: list[bytes] = []
        self.waiters: list[Waiter] = []
        self.full_bytes = full_bytes
        self.room = full_bytes
        self.level = level
        self.started_at = started_at
        self.leaves_at = started_at + linger_s
        self.sealed = False
        self.expires = False

    def add(self, item: Item, waiter: Waiter | None = None) -> None:
        """Add a record. Either all records of a batch have a waiter or none has."""
        missing = len(self.values)
        if item.key is not None:
            self.keys.extend([None] * (missing - len(self.keys)))
            self.keys.append(item.key)
        if item.extras:
            self.extras.extend([b""] * (missing - len(self.extras)))
            self.extras.append(item.extras)
            self.expires |= item.expires
        self.values.append(item.value)
        self.room -= item.cost_bytes
        if waiter is not None:
            self.waiters.append(waiter)
            waiter.batch = self

    def extend(self, values: Sequence[Value]) -> int:
        """Add those of the first values that are bytes and fit, without key; how many.

        0 says that the first one takes the long way. Raises TypeError for one value.
        """
        if isinstance(values, str | bytes):
            raise TypeError("send_many() takes a list of values, and this is one: use send()")
        if set(map(type, values)) != {bytes}:
            values = list(takewhile(lambda value: type(value) is bytes, values))
        sizes = list(map(len, values))  # type: ignore[arg-type]  # all of them are bytes
        count, size_bytes = len(sizes), sum(sizes) + len(sizes) * RECORD_COST_BYTES
        while count and size_bytes >= self.room:
            count -= 1
            size_bytes -= sizes[count] + RECORD_COST_BYTES
        self.room -= size_bytes
        self.values.extend(values[:count])  # type: ignore[arg-type]
        return count

    def discard(self, waiter: Waiter) -> None:
        """Take a record out again. The batch is not sealed."""
        index = self.waiters.index(waiter)
        self.full_bytes -= RECORD_COST_BYTES
        for column in (self.values, self.keys, self.extras):
            for part in column[index : index + 1]:  # a column may end before the record
                self.full_bytes -= len(part or b"")
            del column[index : index + 1]
        del self.waiters[index]

    def close(self) -> None:
        """Take no more records."""
        self.full_bytes -= self.room
        self.room = 0

    def seal(self) -> Columns:
        """Nothing is added or taken out any more."""
        self.sealed = True
        self.close()
        return self._columns()

    def _columns(self) -> Columns:
        count = len(self.values)
        return Columns(
            self.values, _filled(self.keys, None, count), _filled(self.extras, b"", count)
        )

    def split(self, full_bytes: int) -> Iterator["OpenBatch"]:
        """Its records in batches that are full with so many bytes, and take no more."""
        values, keys, extras = self._columns()
        waiters = self.waiters or repeat(None)
        part = OpenBatch(full_bytes, self.level, self.started_at, 0.0)
        rows = zip(values, keys or repeat(None), extras or repeat(b""), waiters, strict=False)
        for value, key, extra, waiter in rows:
            item = Item(value, key, extra, self.expires)
            if part.values and part.room <= item.cost_bytes:
                part.close()
                yield part
                part = OpenBatch(full_bytes, self.level, self.started_at, 0.0)
            part.add(item, waiter)
        part.close()
        yield part

    @property
    def size_bytes(self) -> int:
        """At most this many bytes will be sent (before compression)."""
        return BODY_PREFIX_BYTES + self.full_bytes - self.room

    def fail(self, error: Exception) -> None:
        """Tell all waiters."""
        self.sealed = True
        self.close()
        for waiter in self.waiters:
            waiter.fail(error)


_T = TypeVar("_T")


def _filled(column: list[_T], nothing: _T, count: int) -> list[_T] | None:
    if not column:
        return None
    return column + [nothing] * (count - len(column))
