"""How the parts of a frame, which are never copied together, are handed to a transport."""

import sys
from collections.abc import Sequence
from typing import Protocol


class Writable(Protocol):
    """A transport, as far as it is needed here."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write some bytes."""

    def writelines(self, list_of_data: Sequence[bytes | memoryview]) -> None:
        """Write some bytes behind each other."""


def writelines_pauses(version: tuple[int, ...]) -> bool:
    """Whether writelines() of that Python's own transports tells when to pause.

    From 3.12.0 on it did not, until 3.12.9 and 3.13.2 (CVE-2024-12254): without a word, the memory
    of whoever writes filled up with what the other side does not read.
    """
    return not ((3, 12) <= version < (3, 12, 9) or (3, 13) <= version < (3, 13, 2))


def _together(transport: Writable, parts: Sequence[bytes | memoryview]) -> None:
    transport.writelines(parts)


def _one_by_one(transport: Writable, parts: Sequence[bytes | memoryview]) -> None:
    for part in parts:
        transport.write(part)


write_parts = _together if writelines_pauses(sys.version_info[:3]) else _one_by_one
"""Write the parts of a frame to a transport that is not closing."""
