"""Which partition a record belongs to."""

from operator import index
from typing import Final
from zlib import crc32

from tapemq.wire.fields import Settings

PRIORITIES: Final = range(10)


def check_partition(partition: int | None) -> int | None:
    """The number as an int, whatever kind of integer it is: only that can be sent.

    Raises TypeError for what is no integer.
    """
    return None if partition is None else int(index(partition))


def partition_of(key: bytes, partitions: int) -> int:
    """CRC-32 of the key, modulo the number of partitions: the same in every client."""
    return crc32(key) % partitions


def levels_of(settings: Settings) -> int:
    """How many levels of priority a topic has; 1: none."""
    return int(settings.get("priorities", 1))


def partition_at(number: int, levels: int, priority: int) -> int:
    """The ``number``-th partition of a priority's level, of a topic with so many levels.

    Levels count from 0, the lowest; a priority above the highest level is that one.
    """
    return number * levels + min(priority, levels - 1)
