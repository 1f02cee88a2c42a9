"""What is remembered of a record that failed, or that lives again after it was dead."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import msgpack

from tapemq_broker.core.packed import unpack_list

ERROR_BYTES_MAX = 1024
REASON_BYTES_MAX = 200

_WRITTEN: Final = (int, int, int, int, int, int, str, str)


class Place(Enum):
    """Where a troubled record is: until the disk knows of it, until its time, until it is taken."""

    WITHHELD = 0
    WAITING = 1
    READY = 2
    LEASED = 3


@dataclass(slots=True, eq=False)
class Trouble:
    """Failures and crashes since it was ready for the first time, or lived again (``replays``).

    ``not_before_us``: it is not handed out before that (wall clock). ``place`` and ``deliveries``
    are not written.
    """

    failures: int = 0
    crashes: int = 0
    replays: int = 0
    not_before_us: int = 0
    first_failure_us: int = 0
    last_us: int = 0
    reason: str = ""
    error: str = ""
    place: Place = field(default=Place.WITHHELD)
    deliveries: int = 0

    @property
    def counts(self) -> tuple[int, int, int, bool]:
        """What the records of one lease have in common."""
        return self.failures, self.crashes, self.deliveries, self.replays > 0

    def encode(self) -> bytes:
        """The value of its entry."""
        return bytes(
            msgpack.packb(
                (
                    self.failures,
                    self.crashes,
                    self.replays,
                    self.not_before_us,
                    self.first_failure_us,
                    self.last_us,
                    self.reason,
                    self.error,
                )
            )
        )

    @classmethod
    def decode(cls, value: bytes) -> "Trouble":
        """The inverse; fields of a newer version are skipped. Raises BadEntry."""
        return cls(*unpack_list(value, _WRITTEN))


def shortened(text: str, most_bytes: int) -> str:
    """At most so many bytes of a text from its beginning."""
    return text.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore")
