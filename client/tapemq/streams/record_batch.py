"""Records that were published together, by column."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import count, repeat
from typing import Any

from tapemq.batch.extras import Scalar, decode_extras
from tapemq.streams.record import Record, Source


class RecordBatch:
    """Up to 512 records of one partition, one behind the other. The fast way to read many.

    ``values``: their values; None is a tombstone.
    ``keys``: their keys, or None if no record has one.
    ``first_offset``: offset of the first; the others follow without gaps.
    """

    __slots__ = ("extras", "first_offset", "keys", "source", "values")

    def __init__(
        self,
        source: Source,
        first_offset: int,
        values: Sequence[bytes | None],
        keys: Sequence[bytes | None] | None = None,
        extras: Sequence[bytes] | None = None,
    ) -> None:
        self.source = source
        self.first_offset = first_offset
        self.values = values
        self.keys = keys
        self.extras = extras

    @property
    def topic(self) -> str:
        """The topic's name."""
        return self.source.topic

    @property
    def partition(self) -> int:
        """Number of the partition, from 0."""
        return self.source.partition

    @property
    def timestamp(self) -> datetime:
        """When the broker appended the batch, in UTC."""
        return self.source.timestamp

    @property
    def next_offset(self) -> int:
        """The offset behind the last record."""
        return self.first_offset + len(self.values)

    @property
    def headers(self) -> list[dict[str, Scalar]]:
        """The records' headers."""
        if self.extras is None:
            return [{} for _ in self.values]
        return [decode_extras(extras)[0] for extras in self.extras]

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        end = self.next_offset
        return (
            f"<RecordBatch {self.topic}/{self.partition} offsets {self.first_offset} to {end - 1}>"
        )

    def records(self) -> Iterator[Record]:
        """The records one by one."""
        return records_of(self, iter(self.values))


def records_of(batch: RecordBatch, values: Iterator[bytes | None]) -> Iterator[Record]:
    """Records made by C while ``values``, an iterator over the batch's, advances."""
    return map(Record, *fields_of(batch, values))


def fields_of(batch: RecordBatch, values: Iterator[bytes | None]) -> tuple[Iterable[Any], ...]:
    """By field, what records are made of while ``values``, an iterator over the batch's, advances.

    It comes first, so that nothing of the others is taken when it has ended.
    """
    return (
        values,
        repeat(None) if batch.keys is None else batch.keys,
        count(batch.first_offset),
        repeat(b"") if batch.extras is None else batch.extras,
        repeat(batch.source),
    )
