"""Reads single records of a partition by their offsets."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final

import tapemq

_NEAR_OFFSETS: Final = 1000
"""What is so near is read on to; for what is farther away reading begins anew."""

_PREFETCH_BYTES: Final = 256 * 1024
_WAIT_S: Final = 10.0


async def records_at(
    client: tapemq.Client, topic: str, partition: int, offsets: Iterable[int]
) -> AsyncIterator[tuple[int, tapemq.Record | None]]:
    """The records at ascending offsets, all of them visible; None for one that is not there."""
    wanted = list(offsets)
    while wanted:
        near = _near(wanted)
        wanted = wanted[len(near) :]
        async for found in _read(client, topic, partition, near):
            yield found


def _near(offsets: list[int]) -> list[int]:
    """The first of them, up to a wide gap."""
    for index in range(1, len(offsets)):
        if offsets[index] - offsets[index - 1] > _NEAR_OFFSETS:
            return offsets[:index]
    return offsets


async def _read(
    client: tapemq.Client, topic: str, partition: int, offsets: list[int]
) -> AsyncIterator[tuple[int, tapemq.Record | None]]:
    """They lie near each other."""
    end = (await client.partition(topic, partition)).visible_offset
    left = [offset for offset in offsets if offset < end]
    if left:
        async with client.stream(
            topic, start=left[0], partitions=[partition], prefetch_bytes=_PREFETCH_BYTES
        ) as stream:
            records = aiter(stream)
            while left and (record := await _next(records)):
                while left and left[0] < record.offset:
                    yield left.pop(0), None
                if left and left[0] == record.offset:
                    yield left.pop(0), record
    for offset in [*left, *(offset for offset in offsets if offset >= end)]:
        yield offset, None


async def _next(records: AsyncIterator[tapemq.Record]) -> tapemq.Record | None:
    """None if none comes: a repair may have left nothing at the end of what can be read."""
    try:
        async with asyncio.timeout(_WAIT_S):
            return await anext(records)
    except TimeoutError:
        return None
