"""A real file system whose power can be cut: ext4 on a loop device, shut down without its journal.

What was not synced is lost as after a real power cut; the page cache does not survive it.
"""

import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path

from tests.support.crash.mount_namespace import MountNamespace

_EXT4_IOC_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = struct.pack("I", 2)
_IMAGE_BYTES = 512 * 1024 * 1024
_LOOKS = 100


def missing() -> str:
    """Why this cannot be done here; empty if it can."""
    if os.geteuid() != 0:
        return "cutting the power needs root (loop mounts)"
    for tool in ("mkfs.ext4", "mount", "umount", "losetup"):
        if shutil.which(tool) is None:
            return f"cutting the power needs {tool}"
    return ""


class PoweredDisk:
    """Mounted at ``path`` between start() and stop(), for this thread and its children alone."""

    def __init__(self, directory: Path) -> None:
        self._image = directory / "disk.img"
        self.path = directory / "disk"
        self._namespace = MountNamespace()

    def start(self) -> None:
        """Make the file system and mount it."""
        self.path.mkdir()
        with self._image.open("wb") as image:
            image.truncate(_IMAGE_BYTES)
        run_tool("mkfs.ext4", "-q", "-F", str(self._image))
        self._namespace.enter()
        self._mount()

    def cut(self) -> None:
        """The power goes: nothing that was not synced will be there any more."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _EXT4_IOC_SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(descriptor)

    def restore(self) -> None:
        """The power is back; nobody uses the old mount any more."""
        run_tool("umount", str(self.path))
        self._check_free()
        self._mount()

    def _check_free(self) -> None:
        for _ in range(_LOOKS):  # somebody may be looking at the device at this very moment
            kept = run_tool("losetup", "--associated", str(self._image))
            if not kept:
                return
        raise AssertionError(
            "a mount namespace that was made meanwhile, by what is under test, keeps the mount "
            f"({kept.strip()})"
        )

    def stop(self) -> None:
        """Unmount."""
        try:
            run_tool("umount", str(self.path))
        finally:
            self._namespace.leave()

    def _mount(self) -> None:
        run_tool("mount", "-o", "loop", str(self._image), str(self.path))


def run_tool(*command: str) -> str:
    """What a tool of the system says. Raises AssertionError with its complaint if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
