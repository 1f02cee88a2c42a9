"""What is remembered of a dead record."""

from typing import Final, NamedTuple

import msgpack

from tapemq_broker.core.packed import check, check_list, unpack

_ALWAYS: Final = (str, str, int, int, int, int, int)


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
        """The inverse; fields of a newer version are skipped. Raises BadEntry."""
        entry = check_list(unpack(value), _ALWAYS)[: len(cls._fields)]
        for later in entry[len(_ALWAYS) :]:
            check(later, int, "last_failure_us")
        return cls(*entry)
