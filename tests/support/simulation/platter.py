"""What is on the disk of a simulated machine, and what a power cut leaves of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from random import Random
from typing import Final

from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.memory_tree import NameChange, Write
from tests.support.simulation.loop import SimLoop
from tests.support.survivors import Survivors, synced_bytes


class Platter(MemoryDisk):
    """A power cut keeps what was synced, and of the rest whatever the seed says: see Survivors."""

    def __init__(self, loop: SimLoop, random: Random) -> None:
        super().__init__(post=self._post_later)
        self._loop = loop
        self._context = copy_context()
        self._delay_s = 0.0
        self._random = random
        self._survivors: Final = Survivors(random)
        self.lost: Counter[str] = Counter()

    def sync_after(
        self,
        delay_s: float,
        files: Sequence[MemoryFile],
        done: Callable[[Exception | None], None],
    ) -> None:
        """Like sync(), taking so many virtual seconds; the end of a process does not stop it."""
        self._delay_s = delay_s
        self.sync(files, done)

    def fail_sync_after(
        self,
        delay_s: float,
        files: Sequence[MemoryFile],
        done: Callable[[Exception | None], None],
    ) -> None:
        """Like fail_sync(), taking so many virtual seconds."""
        self._delay_s = delay_s
        self.fail_sync(files, done)

    def evicted_blocks(self, path: str, forgotten: set[int]) -> Iterable[int]:
        chance = self._random.choice((0.0, 0.5, 1.0))
        gone = [block for block in sorted(forgotten) if self._random.random() < chance]
        self.lost["evicted"] += len(gone)
        return gone

    def _post_later(self, finish: Callable[[], None]) -> None:
        self._loop.call_io(self._delay_s, finish, finish, context=self._context)

    def surviving_writes(self, path: str, pending: Sequence[Write]) -> Sequence[Write]:
        if not pending:
            return ()
        survivors = list(self._survivors.writes(pending, synced_bytes(self, path)))
        if survivors != list(pending):
            self.lost["torn" if survivors else "lost_writes"] += 1
        return survivors

    def surviving_names(self, path: str, pending: Sequence[NameChange]) -> Sequence[NameChange]:
        survivors = self._survivors.names(pending)
        self.lost["lost_names"] += len(pending) - len(survivors)
        return survivors
