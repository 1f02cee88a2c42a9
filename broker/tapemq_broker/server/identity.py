"""Who this broker is."""

from typing import NamedTuple


class Identity(NamedTuple):
    """``broker_id`` is the data directory's; ``boot_epoch`` rises with each start."""

    broker_id: bytes
    boot_epoch: int
    software: str
    started_at: float
