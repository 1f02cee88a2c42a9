"""Records that can be told apart, and when each was sent."""

import struct
from typing import Final, NamedTuple

_STAMP: Final = struct.Struct(">Qd")
SIZE_BYTES_MIN: Final = _STAMP.size


class Load(NamedTuple):
    """What a benchmark moves. `rate` is in records a second; None: as fast as possible."""

    records: int
    size_bytes: int
    rate: float | None

    def value(self, number: int, sent_at: float) -> bytes:
        """The value of a record."""
        return _STAMP.pack(number, sent_at).ljust(self.size_bytes, b".")


def stamp(value: bytes) -> tuple[int, float]:
    """Number and sending time of a record. Raises struct.error for what is none of ours."""
    number, sent_at = _STAMP.unpack_from(value)
    return number, sent_at
