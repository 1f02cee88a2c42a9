"""What is remembered of a dead record."""

from typing import Any, NamedTuple

import msgpack


class Dead(NamedTuple):
    """Why and when it died, and what came before. Times are of the wall clock.

    ``first_failure_us`` and ``last_failure_us``: since it was redriven; 0 if it neither failed nor
    crashed. What was written before there was the last one has 0 there.
    """

    reason: str
    error: str
    failures: int
    crashes: int
    replays: int
    died_us: int
    first_failure_us: int
    last_failure_us: int = 0

    def encode(self) -> bytes:
        """The value of its entry."""
        return bytes(msgpack.packb(tuple(self)))

    @classmethod
    def decode(cls, value: bytes) -> "Dead":
        """The inverse; fields of a newer version are skipped."""
        entry: list[Any] = msgpack.unpackb(value)
        return cls(*entry[: len(cls._fields)])
