"""How much the broker may send before it is granted more."""

from typing import NamedTuple


class Grant(NamedTuple):
    """So many records and bytes."""

    records: int
    bytes: int


class Credit:
    """Collects what the application has taken, and grants it back in quarters of the window."""

    def __init__(self, window: Grant) -> None:
        self._least = Grant(max(1, window.records // 4), max(1, window.bytes // 4))
        self._records = 0
        self._bytes = 0

    def returned(self, records: int, size_bytes: int) -> Grant | None:
        """A delivery of this cost was taken or dropped. Returns what is to be granted now."""
        self._records += records
        self._bytes += size_bytes
        if self._records < self._least.records and self._bytes < self._least.bytes:
            return None
        grant = Grant(self._records, self._bytes)
        self._records = self._bytes = 0
        return grant
