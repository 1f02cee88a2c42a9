"""Writes bytes to a descriptor without holding up the event loop."""

import os
import select
from contextlib import suppress
from typing import Final

from tapemq_broker.cli.descriptors import never_blocks, until_writable

_PIECE_BYTES: Final = select.PIPE_BUF
"""What says that it takes more takes so much at once."""


async def write_all(descriptor: int, data: bytes) -> None:
    """Write everything. While there is no room for it, the event loop runs on.

    A write that waited in the kernel would keep leases and connections from being renewed, and
    signals from being heard. Raises OSError; BrokenPipeError if the reader has gone.
    """
    rest = memoryview(data)
    if never_blocks(descriptor):
        while rest:
            # Less than all is written where there is no room for more, or a signal came.
            rest = rest[os.write(descriptor, rest) :]
        return
    while rest:
        await until_writable(descriptor)
        # Others have made it one that refuses, and were faster: it is waited for again.
        with suppress(BlockingIOError):
            rest = rest[os.write(descriptor, rest[:_PIECE_BYTES]) :]
