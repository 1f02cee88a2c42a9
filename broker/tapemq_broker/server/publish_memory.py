"""How much of what clients publish is under way, over all connections."""

from typing import Final


class PublishMemory:
    """Counts batches without receipts, and frames that have not come to their end.

    ``is_short`` from the limit on, until half of it is free again. ``kept_bytes`` are of large
    buffers that connections keep for what comes next, beside that.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes: Final = limit_bytes
        self.used_bytes = 0
        self.is_short = False
        self.kept_bytes = 0

    @property
    def is_exhausted(self) -> bool:
        """Nothing that can be refused may be taken any more."""
        return self.used_bytes > 2 * self.limit_bytes

    def may_keep(self, more_bytes: int) -> bool:
        """Whether so much more may be kept: it saves some time, and is a quarter of the limit."""
        return self.kept_bytes + more_bytes <= self.limit_bytes // 4

    def change(self, more_bytes: int) -> None:
        """So much more is under way, or less."""
        self.used_bytes += more_bytes
        if self.used_bytes > self.limit_bytes:
            self.is_short = True
        elif self.used_bytes <= self.limit_bytes // 2:
            self.is_short = False

    def share_bytes(self, connections: int) -> int:
        """What each connection may have under way when memory is short."""
        return self.limit_bytes // (2 * max(1, connections))
