"""What a power cut leaves of what was not synced."""

import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.memory_tree import NameChange, Write

SECTOR_BYTES: Final = 512

_Sectors = dict[int, int]


class Survivors:
    """Of a file's unsynced writes nothing, all, a prefix, or any sectors in any order; a sector is
    old or new, never mixed. What is lost inside a file may read as zeros, where nothing was on
    disk before; at its end the file is shorter, or zeros. Of the unsynced changes of names nothing,
    all, a prefix, or any that do not build on a lost one. Drawn from ``random``.
    """

    def __init__(self, random: Random) -> None:
        self._random: Final = random

    def writes(self, pending: Sequence[Write], synced_bytes: int) -> Iterator[Write]:
        """Of the writes to a file, in order; so many of its bytes were on disk before them."""
        random = self._random
        mode = random.choice(("nothing", "all", "prefix", "sectors", "sectors"))
        if mode == "nothing":
            return
        if mode == "all":
            yield from pending
            return
        whole = random.randrange(len(pending) + 1) if mode == "prefix" else 0
        yield from pending[:whole]
        zero_from = synced_bytes if random.random() < 0.3 else math.inf
        sectors: _Sectors = {}
        for number, write in enumerate(pending[whole:]):
            if write.data is None:
                if random.random() < 0.5:
                    yield write
            elif mode == "sectors" or number == 0:
                yield from self._torn(write, number, len(pending), sectors, zero_from)

    def _torn(
        self, write: Write, number: int, count: int, sectors: _Sectors, zero_from: float
    ) -> Iterator[Write]:
        """The pieces of one write that are in sectors whose last writeback was behind it."""
        for piece in _pieces(write):
            sector = piece.position // SECTOR_BYTES
            if sector not in sectors:
                written_back = (0, count, self._random.randrange(count + 1))
                sectors[sector] = self._random.choice(written_back)
            if number < sectors[sector]:
                yield piece
            elif piece.position >= zero_from and piece.data is not None:
                yield Write(piece.position, bytes(len(piece.data)))

    def names(self, pending: Sequence[NameChange]) -> Sequence[NameChange]:
        """Of the changes of names in a directory, in order."""
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


def synced_bytes(disk: MemoryDisk, path: str) -> int:
    """How much of a file is on disk; 0 if there is none."""
    try:
        return len(MemoryDisk.open(disk, path).content.durable)
    except FileNotFoundError:
        return 0
