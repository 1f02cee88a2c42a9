"""Dead records by their keys, without asyncio: the records are read for them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, Protocol

from tapemq.infos import PartitionInfo
from tapemq.queues.infos import DeadRecord
from tapemq.streams.lookup import TRIES, near
from tapemq.streams.record import Record
from tapemq.sync.stream import Stream

_PREFETCH_BYTES: Final = 256 * 1024
_WAIT_S: Final = 10.0
"""A repair may have left nothing at the end of what can be read."""


class Reader(Protocol):
    """What it takes: a client."""

    def stream(
        self, topic: str, *, start: int, partitions: Sequence[int], prefetch_bytes: int
    ) -> Stream:
        """A stream without a group."""

    def partition(self, topic: str, partition: int) -> PartitionInfo:
        """Where a partition ends."""


def with_key(
    client: Reader, topic: str, dead: Iterable[DeadRecord], key: bytes | str, limit: int | None
) -> list[DeadRecord]:
    """Those with a key, at most so many; ``dead`` is in order of partitions and offsets."""
    wanted = key.encode() if isinstance(key, str) else key
    found: list[DeadRecord] = []
    for partition, some in groupby(dead, key=lambda entry: entry.partition):
        entries = {entry.offset: entry for entry in some}
        for record in _records_at(client, topic, partition, list(entries)):
            if len(found) == limit:
                return found
            if record.key == wanted:
                found.append(entries[record.offset])
    return found


def _records_at(client: Reader, topic: str, partition: int, offsets: list[int]) -> Iterator[Record]:
    """Those of the records that are there."""
    end = client.partition(topic, partition).visible_offset
    left = [offset for offset in offsets if offset < end]
    while left:
        some = near(left)
        left = left[len(some) :]
        wanted = set(some)
        for record in _read(client, topic, partition, some):
            if record.offset in wanted:
                yield record


def _read(client: Reader, topic: str, partition: int, offsets: list[int]) -> Iterator[Record]:
    """From the first of them to the last."""
    with client.stream(
        topic, start=offsets[0], partitions=[partition], prefetch_bytes=_PREFETCH_BYTES
    ) as stream:
        for _ in range(TRIES):
            for record in stream._records(_WAIT_S):
                yield record
                if record.offset >= offsets[-1]:
                    return
            client.partition(topic, partition)  # raises if it is the broker that was not there
