"""Which records a process has settled: each exactly once, over all processes."""

from collections.abc import Iterable
from typing import Final

from benchmarks.errors import BenchmarkError
from benchmarks.records import SEQUENCE, fillers

RECORDS_MAX: Final = 1 << 24


class Tally:
    """Checks records that come in any order, and says which of them to fail once.

    ``take(value, again)`` is True for a record to ack and False for one to nack: every
    ``nack_every``-th one when it comes for the first time (0: none).
    """

    def __init__(self, size_bytes: int, nack_every: int) -> None:
        self._rest: Final = fillers(size_bytes)
        self._nack_every: Final = nack_every
        self.acked = bytearray(RECORDS_MAX // 8)
        self.count = 0
        self.nacked = 0

    def take(self, value: bytes | None, again: bool) -> bool:
        """Look at a record. Raises BenchmarkError if it is damaged or was settled before."""
        sequence: int = SEQUENCE.unpack_from(value or bytes(SEQUENCE.size))[0]
        if value is None or value[8:] != self._rest[sequence & 63]:
            raise BenchmarkError(f"record {sequence} is damaged")
        if self._nack_every and not again and sequence % self._nack_every == 0:
            self.nacked += 1
            return False
        byte, bit = sequence >> 3, 1 << (sequence & 7)
        if self.acked[byte] & bit:
            raise BenchmarkError(f"record {sequence} came again after its ack")
        self.acked[byte] |= bit
        self.count += 1
        return True


def check_union(parts: Iterable[bytes], records: int) -> None:
    """Raise BenchmarkError unless each record was settled in exactly one part."""
    union = 0
    for part in parts:
        settled = int.from_bytes(part, "little")
        if union & settled:
            raise BenchmarkError(f"{(union & settled).bit_count()} records were acked twice")
        union |= settled
    if union != (1 << records) - 1:
        raise BenchmarkError(f"{records} records sent, {union.bit_count()} acked")
