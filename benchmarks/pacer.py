"""Wake-ups on a schedule, finer than the millisecond timers of an event loop."""

import asyncio
import ctypes
import os
from struct import pack, unpack
from time import CLOCK_MONOTONIC
from types import TracebackType
from typing import Self

TFD_TIMER_ABSTIME = 1
NANOSECONDS = 1_000_000_000


def open_timer(start_ns: int, period_ns: int, *, blocking: bool) -> int:
    """A file descriptor (timerfd_create(2)) that becomes readable at each tick.

    A read gives the number of ticks since the last one, 8 bytes in native order.
    Raises OSError when the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    flags = os.O_CLOEXEC | (0 if blocking else os.O_NONBLOCK)
    fd: int = libc.timerfd_create(CLOCK_MONOTONIC, flags)
    spec = pack("@4q", *divmod(period_ns, NANOSECONDS), *divmod(start_ns, NANOSECONDS))
    if fd < 0 or libc.timerfd_settime(fd, TFD_TIMER_ABSTIME, spec, None) < 0:
        raise OSError(ctypes.get_errno(), "cannot make a timer")
    return fd


def read_ticks(fd: int) -> int:
    """The number of ticks since the last read."""
    ticks: int = unpack("@Q", os.read(fd, 8))[0]
    return ticks


class Pacer:
    """An open-loop schedule of `rate_per_s` records a second from `start_ns` (CLOCK_MONOTONIC)."""

    def __init__(self, start_ns: int, rate_per_s: int) -> None:
        self._fd = open_timer(start_ns, NANOSECONDS // rate_per_s, blocking=False)
        self._ticks = 0
        self._ticked = asyncio.Event()

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._fd, self._tick)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    async def due(self) -> int:
        """How many records are due since the start, after waiting for at least one more."""
        await self._ticked.wait()
        self._ticked.clear()
        return self._ticks

    def _tick(self) -> None:
        self._ticks += read_ticks(self._fd)
        self._ticked.set()
