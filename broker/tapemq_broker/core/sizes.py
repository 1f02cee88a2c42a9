"""How many bytes of a partition's log lie from an offset on."""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from typing import Final

_LANDMARKS_MAX: Final = 4096
_STEPS: Final = 512
"""The steps in which the limit is measured: after a cut half of the most landmarks are left, and
two of them are a step apart at least, so they reach back over twice the limit."""


class Sizes:
    """Landmarks: at which byte the log was when it came to an offset.

    Between two of them bytes count as evenly spread over the records. They are batches apart, or
    a small part of the limit where batches are smaller, and reach back over more than the limit;
    what is older counts as nothing, for what is newer is too much already.
    """

    def __init__(self, limit_bytes: int, landmarks: Iterable[tuple[int, int]]) -> None:
        """``landmarks``: offset and byte, ascending; at least one, the last is the log's end."""
        self.limit_bytes: Final = limit_bytes
        self._step_bytes = limit_bytes // _STEPS
        self._offsets = array("Q")
        self._bytes = array("Q")
        # Ends of batches that the log may still refuse.
        self._fresh: deque[tuple[int, int]] = deque()
        for offset, byte in landmarks:
            self._note(offset, byte)

    def add(self, next_offset: int, size_bytes: int) -> None:
        """A batch is to be appended; ``next_offset`` is behind it."""
        self._fresh.append((next_offset, self._end + size_bytes))

    def refused(self, next_offset: int) -> None:
        """Nothing was appended from ``next_offset`` on."""
        while self._fresh and self._fresh[-1][0] > next_offset:
            self._fresh.pop()

    def durable_upto(self, offset: int) -> None:
        """What was appended below ``offset`` stays."""
        while self._fresh and self._fresh[0][0] <= offset:
            self._note(*self._fresh.popleft())

    def bytes_from(self, offset: int) -> int:
        """How many bytes lie from an offset on that is on disk, or the first one that is not."""
        return self._end - self._byte_at(offset)

    def newest(self, size_bytes: int, durable_offset: int) -> int:
        """The offset from which on there are at most so many bytes, but the last record stays."""
        wanted = self._byte_at(durable_offset) - size_bytes
        number = bisect_right(self._bytes, wanted) - 1
        if number < 0:
            return self._offsets[0]
        if number == len(self._bytes) - 1:
            return durable_offset - 1
        offset, byte = self._offsets[number], self._bytes[number]
        records, spread = self._offsets[number + 1] - offset, self._bytes[number + 1] - byte
        return min(offset - (byte - wanted) * records // spread, durable_offset - 1)

    @property
    def _end(self) -> int:
        return self._fresh[-1][1] if self._fresh else self._bytes[-1]

    def _byte_at(self, offset: int) -> int:
        number = bisect_right(self._offsets, offset) - 1
        if number < 0 or number == len(self._offsets) - 1:
            return self._bytes[max(number, 0)]
        first, byte = self._offsets[number], self._bytes[number]
        records, spread = self._offsets[number + 1] - first, self._bytes[number + 1] - byte
        return byte + (offset - first) * spread // records

    def _note(self, offset: int, byte: int) -> None:
        """Take a landmark in; the newest one is always exact."""
        is_same = len(self._offsets) > 0 and self._offsets[-1] == offset
        is_near = len(self._bytes) > 1 and byte - self._bytes[-2] < self._step_bytes
        if is_same or is_near:
            self._offsets[-1], self._bytes[-1] = offset, byte
            return
        self._offsets.append(offset)
        self._bytes.append(byte)
        if len(self._offsets) > _LANDMARKS_MAX:
            del self._offsets[: _LANDMARKS_MAX // 2], self._bytes[: _LANDMARKS_MAX // 2]
