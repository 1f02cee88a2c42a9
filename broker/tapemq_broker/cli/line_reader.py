"""Reads lines from a descriptor without holding up the event loop."""

import os
from collections.abc import AsyncIterator
from typing import Final

from tapemq.batch.limits import RECORD_BYTES_MAX
from tapemq_broker.cli.descriptors import never_blocks, until_readable

_CHUNK_BYTES: Final = 65_536


class LineTooLong(Exception):
    """A line is longer than any record can be."""


async def read_lines(descriptor: int) -> AsyncIterator[list[bytes]]:
    """What has come, as lists of lines without their ends, as soon as it has come.

    Raises LineTooLong.
    """
    rest = b""
    async for chunk in _read_chunks(descriptor):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > RECORD_BYTES_MAX:
            raise LineTooLong(f"it has more than {RECORD_BYTES_MAX} bytes")
        if lines:
            yield lines
    if rest:
        yield [rest]


async def _read_chunks(descriptor: int) -> AsyncIterator[bytes]:
    wait = not never_blocks(descriptor)
    while True:
        if wait:
            await until_readable(descriptor)
        chunk = os.read(descriptor, _CHUNK_BYTES)
        if not chunk:
            return
        yield chunk
