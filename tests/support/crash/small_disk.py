"""A small file system in memory that can be filled, and freed again."""

import mmap
import os
import shutil
from pathlib import Path

from tests.support.crash.powered_disk import run_tool

SIZE_BYTES = 64 * 1024 * 1024


def missing() -> str:
    """Why this cannot be done here; empty if it can."""
    if os.geteuid() != 0:
        return "a file system of its own needs root (mounts)"
    if shutil.which("mount") is None or shutil.which("umount") is None:
        return "a file system of its own needs mount and umount"
    return ""


class SmallDisk:
    """Mounted at ``path`` between start() and stop()."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "small"
        self._filler = self.path / "filler"

    def start(self) -> None:
        """Make it."""
        self.path.mkdir()
        options = f"size={SIZE_BYTES},mode=700"
        run_tool("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.path))

    def fill(self, leave_bytes: int) -> None:
        """Somebody else takes all the space but this much."""
        step_bytes, size_bytes = SIZE_BYTES, 0
        with self._filler.open("wb") as file:
            while step_bytes >= mmap.PAGESIZE:
                # Others write meanwhile, so what is free now need not be so in a moment.
                step_bytes = min(step_bytes, self._free_bytes() - leave_bytes)
                step_bytes -= step_bytes % mmap.PAGESIZE
                try:
                    if step_bytes > 0:
                        os.posix_fallocate(file.fileno(), size_bytes, step_bytes)
                        size_bytes += step_bytes
                except OSError:
                    step_bytes //= 2

    def _free_bytes(self) -> int:
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def free(self) -> None:
        """The space is there again."""
        self._filler.unlink()

    def stop(self) -> None:
        """Unmount."""
        run_tool("umount", str(self.path))
