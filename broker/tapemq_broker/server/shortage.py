"""What clients and the operator are told when a disk, or the process, takes no more."""

import logging
from typing import Final

from tapemq_broker.core.refusal import Refusal, Refused
from tapemq_broker.server.clock import Clock
from tapemq_broker.storage.errors import NO_FILES_ERRORS, LogFull, NoFiles

log = logging.getLogger("tapemq.broker")

_FULL: Final = Refusal("disk_full", "the broker's disk is full; nothing was written", 1.0)
_NO_FILES: Final = Refusal(
    "overloaded", "the broker can open no more files just now; nothing was written", 1.0
)
_NOT_READ: Final = Refusal("overloaded", "the broker can open no more files just now", 1.0)
_TELL_AGAIN_S: Final = 10.0


class Shortage:
    """Each kind is logged every 10 s at most: nothing else shows open files or a quota."""

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._tell_again_at: Final[dict[str, float]] = {}

    def refusal_of(self, full: LogFull) -> Refusal:
        """Log that something could not be written. Returns what clients are told."""
        advice, refusal = _advice(full)
        self._tell(advice, full)
        return refusal

    def not_made(self, what: str, error: LogFull | OSError) -> Refused:
        """Log that a topic, or its schedule log, could not be. Returns what clients are told."""
        advice, refusal = _advice(error)
        self._tell(f"{what} cannot be made: {advice}", error)
        return Refused(refusal.name, f"{what} cannot be made: {error}", refusal.retry_after_s)

    def not_read(self, error: Exception) -> Refusal | None:
        """If it is for want of open files that something cannot be read, log that. Returns what
        clients are told then; None: it does not pass."""
        if not isinstance(error, OSError) or error.errno not in NO_FILES_ERRORS:
            return None
        self._tell(f"records cannot be read: {_advice(error)[0]}", error)
        return _NOT_READ

    def _tell(self, what: str, error: Exception) -> None:
        now = self._clock.monotonic()
        if now >= self._tell_again_at.get(what, now):
            self._tell_again_at[what] = now + _TELL_AGAIN_S
            log.error("%s: %s", what, error)


def _advice(error: LogFull | OSError) -> tuple[str, Refusal]:
    of_files = isinstance(error, OSError) and error.errno in NO_FILES_ERRORS
    if of_files or isinstance(error, NoFiles):
        return "let the process open more files (LimitNOFILE=, ulimit -n)", _NO_FILES
    return "the disk takes no more, or a quota does not; make room", _FULL
