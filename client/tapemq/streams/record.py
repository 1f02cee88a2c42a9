"""One record, as it is read."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from msgspec import Struct

from tapemq.batch.expiry import ttl_us_of
from tapemq.batch.extras import Scalar, decode_extras

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Source(NamedTuple):
    """What the records of a batch have in common."""

    topic: str
    partition: int
    append_time_us: int

    @property
    def timestamp(self) -> datetime:
        """When the broker appended the batch, in UTC."""
        return _EPOCH + timedelta(microseconds=self.append_time_us)


class Record(Struct, frozen=True, gc=False):
    """A record read from a topic. Immutable.

    An object that C makes (``map(Record, values, ...)``), for 0.09 µs; a tuple would take 0.16,
    and 0.11 more to leave an async generator, where it travels in an exception that is made for it
    (ADR 10, ``python -m benchmarks.per_record``).
    """

    value: bytes | None
    """What was published; None is a tombstone."""
    key: bytes | None
    """The key that it was published with, if any."""
    offset: int
    """The record's number in its partition, from 0."""
    _extras: bytes
    _source: Source

    @property
    def topic(self) -> str:
        """The topic's name."""
        return self._source.topic

    @property
    def partition(self) -> int:
        """Number of the partition, from 0."""
        return self._source.partition

    @property
    def timestamp(self) -> datetime:
        """When the broker appended the record, in UTC. Never decreases within a partition."""
        return self._source.timestamp

    @property
    def headers(self) -> dict[str, Scalar]:
        """The record's headers, a new dict each time: text to bytes, str, int or bool."""
        return decode_extras(self._extras)[0]

    @property
    def expires_at(self) -> datetime | None:
        """When the time to live ends that it was published with, in UTC; None: it has none.

        Queues do not hand it out any more then. A stream reads it all the same.
        """
        ttl_us = ttl_us_of(decode_extras(self._extras)[1])
        return self.timestamp + timedelta(microseconds=ttl_us) if ttl_us else None

    @property
    def text(self) -> str:
        """The value as text ("" for a tombstone). Raises UnicodeDecodeError if it is not UTF-8."""
        return (self.value or b"").decode()

    @property
    def key_text(self) -> str | None:
        """The key as text. Raises UnicodeDecodeError if it is not UTF-8."""
        return None if self.key is None else self.key.decode()

    def __repr__(self) -> str:
        return (
            f"<Record {self.topic}/{self.partition} offset={self.offset} key={self.key!r} "
            f"value={self.value!r:.60}>"
        )
