"""A mount namespace of the calling thread's own: what it mounts is seen by its children alone.

Every process that makes a mount namespace gets a copy of all mounts that it sees. A mount that
others do not see is therefore gone when it is unmounted, whatever runs beside.
"""

import ctypes
import os
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_LIBC = ctypes.CDLL(None, use_errno=True)


class MountNamespace:
    """Between enter() and leave(). Needs root. Both raise OSError."""

    def __init__(self) -> None:
        self._outside = -1

    def enter(self) -> None:
        """Mounts that are made from now on are nobody else's."""
        self._outside = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        _check(_LIBC.unshare(_CLONE_NEWNS))
        _check(_LIBC.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))

    def leave(self) -> None:
        """Back to where the thread was; the namespace ends with the last process in it."""
        directory = Path.cwd()
        _check(_LIBC.setns(self._outside, _CLONE_NEWNS))
        os.close(self._outside)
        os.chdir(directory)  # entering a namespace leads to its root


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
