"""What is on the disk of a simulated machine, and what a power cut leaves of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import copy_context
from random import Random
from typing import Final

from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.memory_tree import NameChange, Write
from tests.support.simulation.loop import SimLoop

SECTOR_BYTES: Final = 512

_Sectors = dict[int, int]


class Platter(MemoryDisk):
    """A power cut keeps what was synced, and of the rest whatever the seed says.

    Of a file's unsynced writes it keeps nothing, all, a prefix, or any sectors in any order; a
    sector is old or new, never mixed. What is lost inside a file reads as zeros; at its end the
    file is shorter, or zeros. Of the unsynced changes of names it keeps nothing, all, a prefix, or
    any that do not build on a lost one.
    """

    def __init__(self, loop: SimLoop, random: Random) -> None:
        super().__init__(post=self._post_later)
        self._loop = loop
        self._context = copy_context()
        self._delay_s = 0.0
        self._random = random
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
        survivors = list(self._survivors(pending))
        if survivors != list(pending):
            self.lost["torn" if survivors else "lost_writes"] += 1
        return survivors

    def _survivors(self, pending: Sequence[Write]) -> Iterator[Write]:
        random = self._random
        mode = random.choice(("nothing", "all", "prefix", "sectors", "sectors"))
        if mode == "nothing":
            return
        if mode == "all":
            yield from pending
            return
        whole = random.randrange(len(pending) + 1) if mode == "prefix" else 0
        yield from pending[:whole]
        zeros = random.random() < 0.3
        sectors: _Sectors = {}
        for number, write in enumerate(pending[whole:]):
            if write.data is None:
                if random.random() < 0.5:
                    yield write
            elif mode == "sectors" or number == 0:
                yield from self._torn(write, number, len(pending), sectors, zeros=zeros)

    def _torn(
        self, write: Write, number: int, count: int, sectors: _Sectors, *, zeros: bool
    ) -> Iterator[Write]:
        """The pieces of one write that are in sectors whose last writeback was behind it."""
        for piece in _pieces(write):
            sector = piece.position // SECTOR_BYTES
            if sector not in sectors:
                written_back = (0, count, self._random.randrange(count + 1))
                sectors[sector] = self._random.choice(written_back)
            if number < sectors[sector]:
                yield piece
            elif zeros and piece.data is not None:
                yield Write(piece.position, bytes(len(piece.data)))

    def surviving_names(self, path: str, pending: Sequence[NameChange]) -> Sequence[NameChange]:
        random = self._random
        mode = random.choice(("nothing", "all", "prefix", "any"))
        prefix = random.randrange(len(pending) + 1)
        lost: set[str] = set()
        survivors = []
        for number, change in enumerate(pending):
            names = {change.name} if change.old_name is None else {change.name, change.old_name}
            keep = mode == "all" or (mode == "prefix" and number < prefix)
            keep = keep or (mode == "any" and random.random() < 0.5)
            if keep and not names & lost:
                survivors.append(change)
            else:
                lost |= names
        self.lost["lost_names"] += len(pending) - len(survivors)
        return survivors


def _pieces(write: Write) -> Iterator[Write]:
    """The write, cut at the borders of sectors."""
    position, data = write
    assert data is not None
    done = 0
    while done < len(data):
        size = SECTOR_BYTES - (position + done) % SECTOR_BYTES
        yield Write(position + done, data[done : done + size])
        done += size
