"""A disk in memory on which directories can be held up."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tapemq_broker.storage.memory_disk import MemoryDisk


class SlowDisk(MemoryDisk):
    """Directories are made and renamed while ``go_on`` is set; others wait for it, in threads.

    ``begun``: how often; ``most_at_once``: how many threads were at it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.go_on = threading.Event()
        self.go_on.set()
        self.begun = 0
        self.most_at_once = 0
        self._at_once = 0
        self._counting = threading.Lock()

    def make_directory(self, path: str) -> None:
        with self._slowly():
            super().make_directory(path)

    def rename(self, source: str, target: str) -> None:
        with self._slowly():
            super().rename(source, target)

    @contextmanager
    def _slowly(self) -> Iterator[None]:
        with self._counting:
            self.begun += 1
            self._at_once += 1
            self.most_at_once = max(self._at_once, self.most_at_once)
        self.go_on.wait()
        yield
        with self._counting:
            self._at_once -= 1

    def hold(self) -> None:
        """Hold up what comes now, and count it."""
        self.go_on.clear()
        self.begun = self.most_at_once = 0
