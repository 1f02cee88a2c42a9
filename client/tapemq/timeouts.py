"""How long things may take, as an application says it."""

import math
from datetime import timedelta
from numbers import Real
from typing import Final

_LONGEST_S: Final = float(2**30)
"""34 years. Event loops, sockets and the protocol cannot count for ever."""


def check_timeout(name: str, timeout: object) -> float:
    """Check it before anything is done: what is noticed when a record has left comes too late.

    Raises TypeError for what is no number of seconds, ValueError for NaN.
    """
    if not isinstance(timeout, Real):
        raise TypeError(f"{name} is a number of seconds, not {timeout!r}")
    if math.isnan(timeout):
        raise ValueError(f"{name} is a number of seconds, not {timeout!r}")
    return min(float(timeout), _LONGEST_S)


def check_positive_timeout(name: str, timeout: object) -> float:
    """The same of one that is more than 0. Raises ValueError, TypeError."""
    seconds = check_timeout(name, timeout)
    if seconds <= 0:
        raise ValueError(f"{name} is more than 0 seconds, not {timeout!r}")
    return seconds


def seconds_of(name: str, duration: object) -> float:
    """A duration in seconds, of any size. Raises TypeError for no number and no timedelta."""
    if isinstance(duration, timedelta):
        return duration.total_seconds()
    if isinstance(duration, int | float):
        return duration  # an integer may be too large for a float
    if not isinstance(duration, Real):
        raise TypeError(f"{name} is a number of seconds or a timedelta, not {duration!r}")
    return float(duration)
