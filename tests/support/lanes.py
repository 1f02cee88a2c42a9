"""Lanes of producers, and what they send."""

from tapemq.batch import decode_columns, decode_prefix
from tapemq.publishing.item import Item
from tapemq.publishing.lane import Lane, LaneOptions, SentBatch
from tapemq.publishing.open_batch import OpenBatch
from tapemq.wire import messages as m


class Waiting:
    def __init__(self) -> None:
        self.batch: OpenBatch | None = None
        self.error: Exception | None = None

    def settle(self, partition: int, offset: int, receipt: m.Receipt) -> None: ...

    def fail(self, error: Exception) -> None:
        self.error = error


def lane(batch_bytes: int = 1000, linger_s: float = 0.0, max_in_flight: int = 4) -> Lane:
    return Lane(3, 77, 0, LaneOptions(batch_bytes, linger_s, max_in_flight))


def fill(target: Lane, *values: bytes, level: int = 0, now: float = 0.0) -> None:
    for value in values:
        target.add(Item(value, None, b""), level, now)


def take(target: Lane, now: float = 0.0) -> SentBatch | None:
    return None if target.next_bytes(now) is None else target.take(time_us=9)


def take_each(target: Lane, *values: bytes) -> list[SentBatch]:
    """Send each value as a batch of its own."""
    sent = []
    for value in values:
        fill(target, value)
        target.close_open()
        batch = take(target)
        assert batch is not None
        sent.append(batch)
    return sent


def body(sent: SentBatch) -> bytes:
    assert sent.size_bytes == sum(map(len, sent.parts))
    return b"".join(sent.parts)


def values(sent: SentBatch | None) -> list[bytes | None]:
    assert sent is not None
    return list(decode_columns(body(sent)).values)


def first_sequence(sent: SentBatch) -> int:
    return decode_prefix(body(sent)).first_sequence
