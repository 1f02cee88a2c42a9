"""When a schedule comes again: cron in a time zone, or every so often.

Everything here takes some microseconds, or (a cron that is rarely met) many milliseconds: it is
called where nobody waits.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from cronsim import CronSim, CronSimError

from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.schedules.schedule import CATCH_UPS, INTEGER_MAX, Recurrence, Schedule

Zones = Callable[[str], tzinfo]
"""Looks a time zone up by its IANA name. Raises ValueError."""

EVERY_MS_MIN: Final = 1000
LATE_US: Final = 60_000_000
"""What is later than this was missed."""

_AT_ONCE: Final = 100
_AT_ONCE_BYTES: Final = 1024 * 1024
"""So many missed times of one schedule are fired together, with records of about so many bytes:
they are one batch. The next ones follow."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DUE_US_MAX: Final = 250_000_000_000_000_000
"""Times end in the year 9892, a century before those of Python."""


def check_due(due_us: int) -> int:
    """A time that schedules can have. Raises Refused."""
    if not 0 < due_us <= _DUE_US_MAX:
        raise Refused("bad_request", f"due at {due_us} microseconds is out of range")
    return due_us


def check_recurrence(recurrence: Recurrence, zones: Zones) -> None:
    """Raise Refused for what cannot come again."""
    if recurrence.cron and recurrence.every_ms:
        raise Refused("bad_request", "a schedule has cron or every_ms, not both")
    if recurrence.catch_up not in CATCH_UPS:
        known = ", ".join(CATCH_UPS)
        raise Refused("bad_request", f"catch_up is one of {known}, not {recurrence.catch_up!r}")
    if recurrence.every_ms and not EVERY_MS_MIN <= recurrence.every_ms <= INTEGER_MAX:
        limits = f"at least {EVERY_MS_MIN} and at most {INTEGER_MAX}"
        raise Refused("bad_request", f"every_ms is {limits}, not {recurrence.every_ms}")
    if recurrence.cron:
        try:
            CronSim(recurrence.cron, datetime.fromtimestamp(0, zones(recurrence.time_zone)))
        except (CronSimError, ValueError) as error:
            raise Refused("bad_request", f"cron {recurrence.cron!r}: {error}") from None


def next_us(recurrence: Recurrence, due_us: int, after_us: int, zones: Zones) -> int:
    """The first time behind ``after_us``; ``due_us`` is any of its times. 0: there is none."""
    if recurrence.every_ms:
        step_us = recurrence.every_ms * 1000
        after_us = due_us + max(1, (after_us - due_us) // step_us + 1) * step_us
        return after_us if after_us <= _DUE_US_MAX else 0
    if not recurrence.cron:
        return 0
    after = _local(recurrence, after_us, zones)
    # In the hour that is repeated in autumn a time at a fixed hour may lie before ``after``.
    for found in CronSim(recurrence.cron, after):
        found_us = _us(found)
        if found_us > after_us:
            return found_us if found_us <= _DUE_US_MAX else 0
    return 0


def last_us(recurrence: Recurrence, due_us: int, now_us: int, zones: Zones) -> int:
    """The last time up to ``now_us``, at least ``due_us``, which is one of its times."""
    if recurrence.every_ms:
        step_us = recurrence.every_ms * 1000
        return due_us + max(0, (now_us - due_us) // step_us) * step_us
    if not recurrence.cron:
        return due_us
    for found in CronSim(recurrence.cron, _local(recurrence, now_us + 1, zones), reverse=True):
        found_us = _us(found)
        if found_us <= now_us:
            return max(due_us, found_us)
    return due_us


def _local(recurrence: Recurrence, time_us: int, zones: Zones) -> datetime:
    return (_EPOCH + timedelta(microseconds=time_us)).astimezone(zones(recurrence.time_zone))


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


class Times(NamedTuple):
    """For which times a schedule is to be fired now, and when it is due next (0: never)."""

    fire_us: tuple[int, ...]
    next_us: int


def due_times(schedule: Schedule, now_us: int, up_since_us: int, zones: Zones) -> Times:
    """What a schedule that is due comes to. The broker fires since ``up_since_us``."""
    recurrence, due_us = schedule.recurrence, schedule.due_us
    if recurrence.is_once:
        return Times((due_us,), 0)
    missed_before_us = max(up_since_us, now_us - LATE_US)
    if recurrence.catch_up == "all" or due_us >= missed_before_us:
        return _all_times(schedule, now_us, zones)
    latest_us = last_us(recurrence, due_us, now_us, zones)
    if latest_us >= missed_before_us:
        first_us = next_us(recurrence, due_us, missed_before_us - 1, zones)
        return _all_times(
            schedule._replace(due_us=min(first_us or latest_us, latest_us)), now_us, zones
        )
    following_us = next_us(recurrence, due_us, max(now_us, latest_us), zones)
    if recurrence.catch_up == "none":
        return Times((), following_us)
    return Times((latest_us,), following_us)


def _all_times(schedule: Schedule, now_us: int, zones: Zones) -> Times:
    """From when the schedule is due."""
    at_once = min(_AT_ONCE, max(1, _AT_ONCE_BYTES // max(1, len(schedule.record))))
    fire_us = [schedule.due_us]
    following_us = next_us(schedule.recurrence, schedule.due_us, schedule.due_us, zones)
    while 0 < following_us <= now_us and len(fire_us) < at_once:
        fire_us.append(following_us)
        following_us = next_us(schedule.recurrence, following_us, following_us, zones)
    return Times(tuple(fire_us), following_us)
