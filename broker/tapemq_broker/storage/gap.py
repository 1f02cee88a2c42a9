"""A gap: the body of a batch that stands in a log where batches were lost and given up.

Only a repair writes one. Offsets are never given out again, so the hole stays, with its reason.
"""

import struct
from typing import Final, NamedTuple

from tapemq.batch import BatchError

VERSION: Final = 1

_LAYOUT: Final = struct.Struct(
    ">"
    "B"  # version
    "Q"  # to_offset
    "Q"  # to_batch
    "I"  # previous_checksum
)

PREVIOUS_CHECKSUM_AT: Final = struct.calcsize(">BQQ")
"""Where in the body the checksum is that the next batch names."""


class Gap(NamedTuple):
    """What is missing: the offsets from the batch's base offset up to ``to_offset``.

    The next batch has the number ``to_batch`` and names ``previous_checksum`` as the checksum of
    the one before it, which was lost.
    """

    to_offset: int
    to_batch: int
    previous_checksum: int
    reason: str

    def encode(self) -> bytes:
        """The body of the batch."""
        fixed = _LAYOUT.pack(VERSION, self.to_offset, self.to_batch, self.previous_checksum)
        return fixed + self.reason.encode()


def decode_gap(body: bytes | memoryview) -> Gap:
    """What the body of a gap says is missing. Raises BatchError for anything else."""
    try:
        version, to_offset, to_batch, previous_checksum = _LAYOUT.unpack_from(body)
        reason = bytes(body[_LAYOUT.size :]).decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise BatchError(f"a gap does not name what is missing: {error}") from None
    if version != VERSION:
        raise BatchError(f"a gap of version {version}; {VERSION} is known here")
    return Gap(to_offset, to_batch, previous_checksum, reason)
