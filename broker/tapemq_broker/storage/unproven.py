"""The batches at the end of a log of which nothing says that they are on disk.

A batch is proven by what could only be written after a sync that covered it: the header of a later
batch, or a seal. That it can be read proves nothing. Linux takes the pages of a failed sync for
clean: they read as they were written, later syncs pass over them, and a power cut loses them.
"""

from collections import deque
from typing import Final

from tapemq.batch import Header


class Unproven:
    """Takes the batches of a walk along a log, and forgets them as later ones prove them.

    So it never holds more than what was written and not yet synced at some time.
    """

    def __init__(self) -> None:
        # Batch number, segment and position, ascending.
        self._batches: Final[deque[tuple[int, int, int]]] = deque()

    def add(self, segment_base: int, position: int, header: Header) -> None:
        """Take the next batch. No batch proves itself."""
        batches = self._batches
        while batches and batches[0][0] < header.durable_batch:
            batches.popleft()
        batches.append((header.batch_number, segment_base, position))

    def starts(self) -> dict[int, int]:
        """From which position on each segment is unproven, by base offset; others are proven."""
        starts: dict[int, int] = {}
        for _, segment_base, position in self._batches:
            starts.setdefault(segment_base, position)
        return starts
