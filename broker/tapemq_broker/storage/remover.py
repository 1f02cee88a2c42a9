"""Removes files in the background, so that what is left of a log never has a hole."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from tapemq_broker.storage.errors import SyncFailed

log = logging.getLogger("tapemq.storage")


class Directories(Protocol):
    """The part of a Disk that is needed here."""

    def size_bytes(self, path: str) -> int | None:
        """As in Disk."""

    def remove(self, path: str) -> None:
        """As in Disk."""

    def sync_directory(self, path: str) -> None:
        """As in Disk."""


class Remover:
    """One thread that removes files one by one, each durably before the next is touched.

    What fails is left alone until the next start, and so is everything else of that directory:
    a log whose first segment stays while the second goes would be refused.
    """

    def __init__(self, disk: Directories) -> None:
        self.failed: SyncFailed | None = None
        """A directory's sync failed, so what the disk holds is not known."""
        self._disk: Final = disk
        self._stuck: Final[set[str]] = set()
        self._thread: Final = ThreadPoolExecutor(1, "tapemq-remove")

    def remove(self, paths: Sequence[str]) -> None:
        """Remove these files, in this order. Returns at once."""
        self._thread.submit(self._remove, tuple(paths))

    def close(self) -> None:
        """Wait until all is done."""
        self._thread.shutdown()

    def _remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            directory = path.rpartition("/")[0]
            if directory in self._stuck:
                continue
            try:
                self._remove_one(path, directory)
            except FileNotFoundError:
                continue  # the directory has gone with its topic, which was deleted in between
            except OSError as error:
                self._stuck.add(directory)
                self.failed = error if isinstance(error, SyncFailed) else self.failed
                log.error("%s is not removed before the next start: %s", path, error)
            except Exception as error:  # nobody looks at what this thread raises
                self._stuck.add(directory)
                log.exception("%s is not removed before the next start: %s", path, error)

    def _remove_one(self, path: str, directory: str) -> None:
        if self._disk.size_bytes(path) is not None:
            self._disk.remove(path)
            self._disk.sync_directory(directory)
