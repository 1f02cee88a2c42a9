"""Records that are to come into a topic later."""

from typing import NamedTuple


class Schedule(NamedTuple):
    """Keep records until they are due. Payload: a body of them. Answered by Scheduled.

    Due at ``due_us``, or ``delay_ms`` after its arrival; then it is appended to its partition.
    ``key`` (if not empty) is the caller's name for it, and replaces what is pending under it. With
    ``cron`` (in ``time_zone``) or ``every_ms`` it recurs; ``catch_up`` ("all", "last", "none") is
    what happens with the times that passed while the broker was down.
    ``later_us`` (packed u64s): each record is due so much later; empty: it is one record.
    """

    topic_id: int
    partition: int
    checksum: int
    due_us: int = 0
    delay_ms: int = 0
    key: bytes = b""
    cron: str = ""
    time_zone: str = "UTC"
    every_ms: int = 0
    catch_up: str = "last"
    later_us: bytes = b""
    deadline_ms: int = 0


class Scheduled(NamedTuple):
    """It is on disk, and due at ``due_us``. Further records of the body have the next ids."""

    schedule_id: int
    due_us: int
    duplicate: bool = False
    replaced: bool = False


class GetSchedule(NamedTuple):
    """Look a pending schedule up, by id or by key. Answered by ScheduleInfo."""

    topic_id: int
    schedule_id: int = 0
    key: bytes = b""
    deadline_ms: int = 0


class ScheduleInfo(NamedTuple):
    """A pending schedule. Payload: its body. ``fired``: how often it was appended until now."""

    schedule_id: int
    partition: int
    due_us: int
    key: bytes
    cron: str
    time_zone: str
    every_ms: int
    catch_up: str
    created_us: int
    fired: int = 0


class CancelSchedule(NamedTuple):
    """Forget a pending schedule, by id or by key. Answered by Done once that is on disk."""

    topic_id: int
    schedule_id: int = 0
    key: bytes = b""
    deadline_ms: int = 0


class ListSchedules(NamedTuple):
    """Pending schedules in the order of time, behind a time and an id. Answered by SchedulePage."""

    topic_id: int
    after_us: int = 0
    after_id: int = 0
    deadline_ms: int = 0


class SchedulePage(NamedTuple):
    """Pending schedules, of ``total``. Payload: a msgpack array of maps."""

    more: bool
    total: int
