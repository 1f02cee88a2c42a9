"""A disk in memory whose syncs can be held up."""

from typing import Any

from tapemq_broker.storage.memory_disk import MemoryDisk


class StuckDisk(MemoryDisk):
    """A disk whose syncs can be held up."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.stuck = False
        self._held: list[tuple[Any, Any]] = []

    def sync(self, files: Any, done: Any) -> None:
        if self.stuck:
            self._held.append((files, done))
        else:
            super().sync(files, done)

    def release(self) -> None:
        self.stuck = False
        for files, done in self._held:
            super().sync(files, done)
