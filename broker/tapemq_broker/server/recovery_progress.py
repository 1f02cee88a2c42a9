"""How far the start of a broker has come."""

from dataclasses import dataclass


@dataclass
class RecoveryProgress:
    """Counted by the thread that recovers, and read by others."""

    partitions_read: int = 0
    partitions: int | None = None
    """None: as long as the catalog is not read."""

    def __str__(self) -> str:
        if self.partitions is None:
            return "the broker is reading its data directory"
        return (
            "the broker is reading its data directory: "
            f"{self.partitions_read} of {self.partitions} partitions"
        )
