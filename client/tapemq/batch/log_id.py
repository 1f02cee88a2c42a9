"""Which log a batch belongs to."""

from enum import IntEnum
from typing import NamedTuple


class Role(IntEnum):
    """What a log is for."""

    DATA = 0
    GROUPS = 1
    SCHEDULE = 2
    CATALOG = 3


class LogId(NamedTuple):
    """Identity of a log, part of every batch header in it.

    ``topic_id`` is unique per topic ever created on a broker (0: the catalog's).
    """

    topic_id: int
    partition: int
    role: Role

    def __str__(self) -> str:
        return f"{self.topic_id:016x}/{self.partition}/{Role(self.role).name.lower()}"
