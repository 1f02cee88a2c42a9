"""Which records are settled: a floor, and sets of offsets above it."""

from typing import Final

from pyroaring import BitMap, BitMap64

from tapemq_broker.core.packed import BadEntry

CHUNK_BITS: Final = 16
CHUNK_OFFSETS: Final = 1 << CHUNK_BITS
_LOW: Final = CHUNK_OFFSETS - 1


def end_of_run(offsets: BitMap | BitMap64, first: int, upto: int) -> int:
    """The first offset from ``first`` on that is not in the set; at most ``upto``."""
    step = 1
    while first + step <= upto and offsets.contains_range(first, first + step):
        first += step
        step *= 2
    while step > 1:
        step //= 2
        if first + step <= upto and offsets.contains_range(first, first + step):
            first += step
    return first


def decode_chunk(data: bytes) -> BitMap:
    """A chunk that was written: never an empty one. Raises BadEntry."""
    try:
        chunk = BitMap.deserialize(data)
    except (ValueError, IndexError) as error:
        raise BadEntry(f"a chunk of settled offsets is none: {error}") from None
    if not chunk or chunk.max() >= CHUNK_OFFSETS:
        raise BadEntry(f"a chunk of settled offsets is empty, or has more than {CHUNK_OFFSETS}")
    return chunk


class Settled:
    """All offsets below ``floor``, and ``count`` above it, in chunks of 65,536.

    ``changed`` are the chunks that differ from what was written of them.
    """

    def __init__(self, floor: int = 0) -> None:
        self.floor = floor
        self.count = 0
        self.changed: set[int] = set()
        self._chunks: dict[int, BitMap] = {}

    def __contains__(self, offset: int) -> bool:
        if offset < self.floor:
            return True
        chunk = self._chunks.get(offset >> CHUNK_BITS)
        return chunk is not None and offset & _LOW in chunk

    def add(self, first: int, next_offset: int) -> None:
        """Settle a run of offsets."""
        if first <= self.floor:
            if next_offset > self.floor:
                self.raise_floor(next_offset)
            return
        while first < next_offset:
            number = first >> CHUNK_BITS
            end = min(next_offset, (number + 1) << CHUNK_BITS)
            chunk = self._chunks.get(number)
            if chunk is None:
                chunk = self._chunks[number] = BitMap()
            before = len(chunk)
            if end - first == 1:
                chunk.add(first & _LOW)
            else:
                chunk.add_range(first & _LOW, (first & _LOW) + end - first)
            self.count += len(chunk) - before
            self.changed.add(number)
            first = end

    def raise_floor(self, floor: int) -> None:
        """Settle all below ``floor``; it goes on over what is settled already."""
        while True:
            if floor >> CHUNK_BITS != self.floor >> CHUNK_BITS:
                self._drop_below(floor >> CHUNK_BITS)
            self.floor = floor
            number = floor >> CHUNK_BITS
            chunk = self._chunks.get(number)
            if chunk is None:
                return
            end = end_of_run(chunk, floor & _LOW, CHUNK_OFFSETS)
            self._clear_below(number, chunk, end)
            if end == floor & _LOW:
                return
            floor = (number << CHUNK_BITS) + end

    def _drop_below(self, number: int) -> None:
        for passed in [chunk for chunk in self._chunks if chunk < number]:
            self.count -= len(self._chunks.pop(passed))
            self.changed.add(passed)

    def _clear_below(self, number: int, chunk: BitMap, end: int) -> None:
        """What is below the floor need not be kept; nor need it be removed on disk at once."""
        before = len(chunk)
        chunk.remove_range(0, end)
        self.count -= before - len(chunk)
        if not chunk:
            del self._chunks[number]
            self.changed.add(number)

    def reset(self, floor: int) -> None:
        """Everything below ``floor`` is settled, and nothing else."""
        self.changed.update(self._chunks)
        self._chunks.clear()
        self.count = 0
        self.floor = floor

    def forget_from(self, end: int) -> None:
        """Nothing from ``end`` on, which is not below the floor, is settled."""
        for number in [chunk for chunk in self._chunks if (chunk + 1) << CHUNK_BITS > end]:
            chunk = self._chunks[number]
            before = len(chunk)
            chunk.remove_range(max(0, end - (number << CHUNK_BITS)), CHUNK_OFFSETS)
            self.count -= before - len(chunk)
            self.changed.add(number)
            if not chunk:
                del self._chunks[number]

    def free_from(self, offset: int, upto: int) -> int:
        """The first offset that is not settled, from one above the floor on; at most ``upto``."""
        while offset < upto:
            chunk = self._chunks.get(offset >> CHUNK_BITS)
            if chunk is None:
                return offset
            end = end_of_run(chunk, offset & _LOW, CHUNK_OFFSETS)
            offset = (offset & ~_LOW) + end
            if end < CHUNK_OFFSETS:
                return min(offset, upto)
        return upto

    def free_until(self, offset: int, upto: int) -> int:
        """Where the run of offsets that are not settled ends which begins with ``offset``."""
        while offset < upto:
            chunk = self._chunks.get(offset >> CHUNK_BITS)
            if chunk is not None and chunk.max() >= offset & _LOW:
                return min((offset & ~_LOW) + chunk.next_set_bit(offset & _LOW), upto)
            offset = (offset | _LOW) + 1
        return upto

    def count_below(self, offset: int) -> int:
        """How many offsets from the floor up to ``offset`` are settled."""
        number = offset >> CHUNK_BITS
        whole = sum(len(bits) for chunk, bits in self._chunks.items() if chunk < number)
        part = self._chunks.get(number)
        return whole + (part.range_cardinality(0, offset & _LOW) if part is not None else 0)

    def numbers(self) -> list[int]:
        """The chunks that hold something."""
        return list(self._chunks)

    def encode(self, number: int) -> bytes | None:
        """A chunk as it is written; None for an empty one."""
        chunk = self._chunks.get(number)
        if chunk is None:
            return None
        chunk.run_optimize()
        return bytes(chunk.serialize())

    def load(self, number: int, data: bytes) -> None:
        """A chunk that was written. What of it is below the floor does not count.

        Raises BadEntry.
        """
        chunk = decode_chunk(data)
        base = number << CHUNK_BITS
        chunk.remove_range(0, min(max(0, self.floor - base), CHUNK_OFFSETS))
        if chunk:
            self._chunks[number] = chunk
            self.count += len(chunk)
        else:
            self.changed.add(number)
