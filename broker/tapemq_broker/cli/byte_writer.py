"""Writes bytes to a descriptor without holding up the event loop."""

import asyncio
import os
import select
from typing import Final

from tapemq_broker.cli.line_reader import never_blocks

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
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    while rest:
        if not poll.poll(0):
            await _until_writable(descriptor)
            continue
        try:
            rest = rest[os.write(descriptor, rest[:_PIECE_BYTES]) :]
        except BlockingIOError:
            # Others who write to the same pipe were faster, and have made it one that refuses.
            await asyncio.sleep(0)


async def _until_writable(descriptor: int) -> None:
    """Wait in the loop, not in a thread: a thread that writes cannot be interrupted."""
    loop = asyncio.get_running_loop()
    writable = asyncio.Event()
    loop.add_writer(descriptor, writable.set)
    try:
        await writable.wait()
    finally:
        loop.remove_writer(descriptor)
