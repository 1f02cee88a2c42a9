"""One record, as it is read."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

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


class _Fields(NamedTuple):
    value: bytes | None
    key: bytes | None
    offset: int
    extras: bytes
    source: Source


class Record(tuple[Any, ...]):
    """A record read from a topic. Immutable.

    A tuple that C makes: ``map(Record, zip(...))`` takes 0.13 µs a record, where a named tuple
    takes 0.33 and an object with attributes 0.5; the getters are a named tuple's, 0.03 µs each.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        value: bytes | None
        """What was published; None is a tombstone."""
        key: bytes | None
        """The key that it was published with, if any."""
        offset: int
        """The record's number in its partition, from 0."""
        _extras: bytes
        _source: Source
    else:
        value = _Fields.value
        key = _Fields.key
        offset = _Fields.offset
        _extras = _Fields.extras
        _source = _Fields.source

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
