"""Reads single records of a partition by their offsets."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from typing import Final, Protocol

from tapemq.infos import PartitionInfo
from tapemq.streams.record import Record
from tapemq.streams.stream import Stream

_NEAR_OFFSETS: Final = 1000
"""What is so near is read on to; for what is farther away reading begins anew."""

_PREFETCH_BYTES: Final = 256 * 1024
_WAIT_S: Final = 10.0

TRIES: Final = 2
"""So often nothing has to come, though the broker is there: it may have come back just then."""


class Reader(Protocol):
    """What it takes: a client."""

    def stream(
        self, topic: str, *, start: int, partitions: Sequence[int], prefetch_bytes: int
    ) -> Stream:
        """A stream without a group."""

    async def partition(self, topic: str, partition: int) -> PartitionInfo:
        """Where a partition ends."""


async def records_at(
    client: Reader, topic: str, partition: int, offsets: Iterable[int]
) -> AsyncGenerator[tuple[int, Record | None], None]:
    """The records at ascending offsets, all of them visible; None for one that is not there."""
    wanted = list(offsets)
    while wanted:
        some = near(wanted)
        wanted = wanted[len(some) :]
        async with aclosing(_read(client, topic, partition, some)) as records:
            async for found in records:
                yield found


def near(offsets: list[int]) -> list[int]:
    """The first of ascending offsets, up to a wide gap."""
    for index in range(1, len(offsets)):
        if offsets[index] - offsets[index - 1] > _NEAR_OFFSETS:
            return offsets[:index]
    return offsets


async def _read(
    client: Reader, topic: str, partition: int, offsets: list[int]
) -> AsyncGenerator[tuple[int, Record | None], None]:
    """They lie near each other."""
    end = (await client.partition(topic, partition)).visible_offset
    left = [offset for offset in offsets if offset < end]
    if left:
        async with client.stream(
            topic, start=left[0], partitions=[partition], prefetch_bytes=_PREFETCH_BYTES
        ) as stream:
            for _ in range(TRIES):
                records = aiter(stream)
                while left and (record := await _next(records)):
                    while left and left[0] < record.offset:
                        yield left.pop(0), None
                    if left and left[0] == record.offset:
                        yield left.pop(0), record
                if not left:
                    break
                await client.partition(topic, partition)  # raises if the broker was not there
    for offset in [*left, *(offset for offset in offsets if offset >= end)]:
        yield offset, None


async def _next(records: AsyncIterator[Record]) -> Record | None:
    """None if none comes: a repair may have left nothing at the end of what can be read."""
    try:
        async with asyncio.timeout(_WAIT_S):
            return await anext(records)
    except TimeoutError:
        return None
