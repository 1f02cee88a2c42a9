"""A disk in memory on which anything may go wrong that a crash or a lack of room can do."""

from collections.abc import Sequence
from errno import ENOSPC
from random import Random

from tapemq_broker.storage.memory_tree import NameChange, Write
from tests.support.crashing_disk import Crash
from tests.support.faulty_disk import FaultyDisk

ALL_FILES = ("",)
"""For ``no_room_for``."""


class UnreliableDisk(FaultyDisk):
    """Of what was not synced, a power cut leaves any part. There may be no room for some files:
    those whose paths end as ``no_room_for`` says."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.no_room_for: tuple[str, ...] = ()
        self._calls_left = 0
        self.fail = self._fail

    def crash_in(self, calls: int) -> None:
        """End the process in one of the next calls that change something."""
        self._calls_left = calls

    def work_again(self) -> None:
        self._calls_left = 0

    def crash_at_times(self) -> None:
        """End the process in one of the next calls, or in none."""
        if self.random.random() < 0.5:
            self.crash_in(self.random.randint(1, 8))

    def _fail(self, operation: str, path: str) -> None:
        if operation in ("create", "append") and path.endswith(self.no_room_for):
            raise OSError(ENOSPC, "no space left", path)
        if self._calls_left and operation != "open":
            self._calls_left -= 1
            if self._calls_left == 0:
                raise Crash

    def surviving_writes(self, path: str, pending: Sequence[Write]) -> Sequence[Write]:
        survivors = []
        for write in pending:
            if self.random.random() < 0.6:
                start = self.random.choice((0, 0, 0, 40, 100))
                stop = self.random.choice((None, None, None, 70, 120))
                data = write.data[start:stop] if write.data else write.data
                survivors.append(Write(write.position + start, data))
        return survivors

    def surviving_names(self, path: str, pending: Sequence[NameChange]) -> Sequence[NameChange]:
        return [change for change in pending if self.random.random() < 0.5]
