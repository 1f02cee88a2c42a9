"""The seam to the disk: everything that storage asks of an operating system.

``OsDisk`` (files.py) is the real one, ``MemoryDisk`` (memory_disk.py) keeps bytes in memory, and
the simulation has a faulty one. Paths are relative to the data directory, with ``/`` between.
All calls block, except ``sync`` and ``discard``. Failures are OSError, with the errno that the
system gave. What was not synced may be lost in a power cut, in any part and any order.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

Buffer = bytes | bytearray | memoryview
"""Bytes in any shape."""


class File(Protocol):
    """An open file: bytes are added at its end and read anywhere. Not shared between writers.

    Reads may run in any thread, beside anything. A file that nobody refers to is closed.
    """

    @property
    def path(self) -> str: ...

    @property
    def size_bytes(self) -> int:
        """Where the next append goes."""

    def append(self, buffers: Sequence[Buffer]) -> None:
        """Write all buffers at the end, in one system call where possible.

        When it raises, any part of them may have been written; truncate() to the size before.
        """

    def rewrite(self, position: int, data: Buffer) -> None:
        """Write bytes that are there already once more, so that the next sync covers them.

        Not from the pages that hold them now: after a failed sync those may never reach the disk.
        What else is in the same pages of 4 KiB must be on disk, or dirty.
        """

    def drop_cache(self) -> None:
        """Let reads show what is on the disk, where it differs from what was written.

        That is a wish, which the system grants as far as it can. Nothing that is dirty is lost.
        """

    def read(self, position: int, size_bytes: int) -> Buffer:
        """Up to ``size_bytes`` from ``position``; shorter only at the end of the file."""

    def read_nowait(self, position: int, size_bytes: int) -> Buffer | None:
        """Like read(), from the page cache alone; None if that would wait for the disk."""

    def truncate(self, size_bytes: int) -> None:
        """Cut the file."""

    def close(self) -> None:
        """Release the file. Closing twice is allowed; it does not sync."""


class Disk(Protocol):
    """A directory on a disk."""

    def open(self, path: str, *, create: bool = False) -> File:
        """Open for reading and appending. ``create`` makes an empty file, which must not exist.

        The name of a created file becomes durable with the first sync of that file.
        """

    def sync(self, files: Sequence[File], done: Callable[[Exception | None], None]) -> None:
        """Make the bytes and sizes of ``files`` durable as they are now, then call ``done`` once.

        Returns at once; ``done`` gets the first failure or None. It runs later, never inside this
        call, where the disk was told to run it (on the event loop, in production).
        """

    def sync_now(self, file: File) -> None:
        """Like sync(), and wait for it."""

    def sync_directory(self, path: str) -> None:
        """Make the names in a directory durable. Raises SyncFailed."""

    def list_directory(self, path: str) -> list[str]:
        """Names in a directory, sorted; directories end in ``/``. Empty if it does not exist."""

    def make_directory(self, path: str) -> None:
        """Make a directory and its parents, durably. No harm if it exists; "" is the root."""

    def read_file(self, path: str) -> bytes | None:
        """A whole small file; None if it does not exist."""

    def replace_file(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Write a small file anew: a temporary one, synced, renamed over it, directory synced.

        Not ``durable``: without the syncs, for what is checked by a checksum and can be rebuilt.
        """

    def rename(self, source: str, target: str) -> None:
        """Rename within one directory. Not durable until the directory is synced."""

    def remove(self, path: str) -> None:
        """Remove a file, or an empty directory. No harm if it does not exist."""

    def discard(self, paths: Sequence[str]) -> None:
        """Remove files in the background, one by one: each durably before the next is touched.

        So a power cut leaves a part of the end of ``paths``, never a hole. What does not exist is
        passed over. A failure ends it: the rest of that directory stays, and is found at the next
        start; where only no file could be opened, it waits for the next call, which may name none.
        If a sync was what failed, so does whatever is to be durable from then on: rounds of sync()
        that have not ended, sync_now(), and replace_file(), which leaves the old file.
        """

    def size_bytes(self, path: str) -> int | None:
        """Size of a file; None if it does not exist."""

    def free_bytes(self) -> int:
        """What is left on the disk for this process."""

    def total_bytes(self) -> int:
        """How large the disk is."""

    def lock(self) -> None:
        """Take the directory for this process. Raises BlockingIOError if another one has it.

        Those that only read may have it together.
        """

    def close(self) -> None:
        """Wait for what runs in the background, and let go of the directory."""
