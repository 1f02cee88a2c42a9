"""What is to become of a message."""

from datetime import timedelta
from typing import Final, NamedTuple

from tapemq.wire.limits import DELAY_MS_MAX

Duration = float | int | timedelta
"""Seconds, or a timedelta."""

_REASON_BYTES: Final = 200
_ERROR_BYTES: Final = 1024


class Verdict(NamedTuple):
    """The fields of a Settle message: see there."""

    verb: str
    by_policy: bool = True
    delay_ms: int = 0
    reason: str = ""
    error: str = ""


ACK: Final = Verdict("ack")
RELEASE: Final = Verdict("release")


def nack(delay: Duration | None = None, reason: str = "", error: str = "") -> Verdict:
    """It failed: again after ``delay``, or (None) when the group's policy says."""
    return Verdict(
        "nack",
        by_policy=delay is None,
        delay_ms=0 if delay is None else milliseconds(delay),
        reason=_cut(reason, _REASON_BYTES),
        error=_cut(error, _ERROR_BYTES),
    )


def reject(reason: str = "", error: str = "") -> Verdict:
    """It is dead now."""
    return Verdict("reject", reason=_cut(reason, _REASON_BYTES), error=_cut(error, _ERROR_BYTES))


def milliseconds(duration: Duration) -> int:
    """Translate. Raises ValueError for a negative one, or one of more than 34 years."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if not 0 <= seconds <= DELAY_MS_MAX / 1000:
        raise ValueError(f"a duration is 0 or more seconds, up to 34 years, not {seconds}")
    return round(seconds * 1000)


def _cut(text: object, size_bytes: int) -> str:
    """As much of the text as fits, with what is no Unicode replaced. Who settles a message with
    the error that came, for example, must not fail at that."""
    return str(text or "").encode("utf-8", "replace")[:size_bytes].decode("utf-8", "ignore")
