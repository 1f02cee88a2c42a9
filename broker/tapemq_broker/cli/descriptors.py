"""Waits for descriptors that others may share: a terminal, a pipe."""

import asyncio
import os
import select
import stat
from typing import Final

_LOOK_MS: Final = 100
"""A thread that waits cannot be interrupted, so it looks up so often."""


def never_blocks(descriptor: int) -> bool:
    """What is neither a pipe, a socket nor a terminal cannot be waited for, and need not be."""
    mode = os.fstat(descriptor).st_mode
    return not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor))


async def until_readable(descriptor: int) -> None:
    """Wait until something, or the end, can be read. The event loop runs on."""
    await _until(descriptor, select.POLLIN)


async def until_writable(descriptor: int) -> None:
    """Wait until something can be written, or nobody reads it any more. The event loop runs on."""
    await _until(descriptor, select.POLLOUT)


async def _until(descriptor: int, events: int) -> None:
    # Not by the event loop: for all processes that share it, and for good, it would make the
    # descriptor one that refuses instead of waiting, and what they read and write would fail.
    poll = select.poll()
    poll.register(descriptor, events)
    if not poll.poll(0):
        while not await asyncio.to_thread(poll.poll, _LOOK_MS):
            """Somebody may have cancelled this meanwhile."""
