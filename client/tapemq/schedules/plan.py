"""When a record is to come, once or again and again."""

from datetime import datetime
from typing import NamedTuple

from tapemq.schedules.due import CatchUp, Due, Duration, due_at, milliseconds, wire_due
from tapemq.schedules.inquiries import wire_key


class Plan(NamedTuple):
    """When a record comes, and under which key it can be replaced."""

    due: Due = Due()
    key: bytes = b""
    cron: str = ""
    time_zone: str = "UTC"
    every_ms: int = 0
    catch_up: CatchUp = "last"

    @property
    def is_plain(self) -> bool:
        """Once, and without a key: it can leave together with others."""
        return not (self.key or self.cron or self.every_ms)


def plan_of(
    delay: Duration | None, at: datetime | None, schedule_key: bytes | str | None
) -> Plan | None:
    """When a record is to come once; None: it is not for later. Raises ValueError."""
    if delay is None and at is None and schedule_key is None:
        return None
    return Plan(wire_due(delay, at), wire_key(schedule_key))


def recurring_plan(
    *,
    cron: str | None,
    every: Duration | None,
    time_zone: str,
    catch_up: CatchUp,
    start: datetime | None,
    schedule_key: bytes | str | None,
) -> Plan:
    """When a record is to come again and again: see ``Client.schedule``. Raises ValueError."""
    if (cron is None) == (every is None):
        raise ValueError("give cron or every: one of them")
    every_ms = 0 if every is None else milliseconds("every", every)
    if not (cron or every_ms):  # to the broker it would be a record that comes once, now
        raise ValueError(f"{cron!r} is no cron" if every is None else "every is at least 1 second")
    return Plan(
        Due() if start is None else due_at("start", start),
        wire_key(schedule_key),
        cron or "",
        time_zone,
        every_ms,
        catch_up,
    )
