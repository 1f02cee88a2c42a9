"""Removes files in the background, so that what is left of a log never has a hole."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, Protocol

from tapemq_broker.storage.errors import NO_FILES_ERRORS, SyncFailed
from tapemq_broker.storage.threads import MakeThreads

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
    a log whose first segment stays while the second goes would be refused. Where only no more
    files could be opened, all of that waits for the next call of remove(), which may name nothing.
    """

    def __init__(self, disk: Directories, make_threads: MakeThreads = ThreadPoolExecutor) -> None:
        self.failed: SyncFailed | None = None
        """A directory's sync failed, so what the disk holds is not known."""
        self._disk: Final = disk
        self._stuck: Final[set[str]] = set()
        # Where a removal is not known to be durable, and what waits to be removed.
        self._unsynced: Final[set[str]] = set()
        self._waiting: list[str] = []
        self._thread: Final = make_threads(1, "tapemq-remove")

    def remove(self, paths: Sequence[str]) -> None:
        """Remove what waits, and then these files, in this order. Returns at once."""
        self._thread.submit(self._remove, tuple(paths))

    def close(self) -> None:
        """Wait until all is done."""
        self._thread.shutdown()

    def _remove(self, paths: Sequence[str]) -> None:
        waiting, self._waiting = self._waiting, []
        put_off: set[str] = set()
        for path in (*waiting, *paths):
            directory = path.rpartition("/")[0]
            if directory in self._stuck:
                continue
            if directory in put_off or not self._is_done(path, directory):
                put_off.add(directory)
                self._waiting.append(path)

    def _is_done(self, path: str, directory: str) -> bool:
        """Remove a file, as far as that is possible at all. False: it may be later on."""
        try:
            self._remove_one(path, directory)
        except FileNotFoundError:
            pass  # the directory has gone with its topic, which was deleted in between
        except OSError as error:
            if error.errno in NO_FILES_ERRORS:
                log.warning("%s is not removed yet: %s", path, error)
                return False
            self._stuck.add(directory)
            self.failed = error if isinstance(error, SyncFailed) else self.failed
            log.error("%s is not removed before the next start: %s", path, error)
        except Exception as error:  # nobody looks at what this thread raises
            self._stuck.add(directory)
            log.exception("%s is not removed before the next start: %s", path, error)
        return True

    def _remove_one(self, path: str, directory: str) -> None:
        if directory in self._unsynced:
            self._sync(directory)
        if self._disk.size_bytes(path) is not None:
            self._disk.remove(path)
            self._unsynced.add(directory)
            self._sync(directory)

    def _sync(self, directory: str) -> None:
        with suppress(FileNotFoundError):  # as above
            self._disk.sync_directory(directory)
        self._unsynced.discard(directory)
