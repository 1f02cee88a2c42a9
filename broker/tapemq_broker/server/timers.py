"""Everything that happens because time passes, from one timer."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from tapemq_broker.config import Settings
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.flow import Flow
from tapemq_broker.storage.retention import retained_from

log = logging.getLogger("tapemq.broker")

_TICK_S: Final = 0.05
_DISK_S: Final = 1.0


class _Duty(NamedTuple):
    """Something to do again and again."""

    every_s: float
    work: Callable[[float], None]


class Timers:
    """Deadlines, marks, heartbeats, disk space, retention."""

    def __init__(self, settings: Settings, engine: Engine, flow: Flow) -> None:
        self._settings = settings
        self._engine = engine
        self._flow = flow
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._lag_s = 0.0
        self._duties = [
            _Duty(_TICK_S, self._deadlines),
            _Duty(settings.mark_idle_s / 2, self._marks),
            _Duty(_connections_s(settings), engine.sessions.check),
            _Duty(_DISK_S, lambda now: flow.check_disk()),
            _Duty(settings.retention_check_s, lambda now: self.apply_retention()),
        ]
        self._due_at = [0.0] * len(self._duties)

    @property
    def lag_s(self) -> float:
        """How late the last tick was: how long something else kept the event loop."""
        return self._lag_s

    def start(self) -> None:
        """Begin; every duty is done once within the first tick's reach."""
        now = self._engine.world.clock.monotonic()
        self._due_at = [now + duty.every_s for duty in self._duties]
        self._flow.check_disk()
        self._schedule()

    def stop(self) -> None:
        """No duty is done after this."""
        if self._handle is not None:
            self._handle.cancel()

    def _schedule(self) -> None:
        expected = self._loop.time() + _TICK_S
        self._handle = self._loop.call_at(expected, self._tick, expected)

    def _tick(self, expected: float) -> None:
        self._lag_s = max(0.0, self._loop.time() - expected)
        try:
            self._do_what_is_due(self._engine.world.clock.monotonic())
        except Exception as error:
            # Without its timer a broker would serve on, and keep no deadline and no limit.
            log.exception("what is done in time failed")
            self._engine.world.fatal(f"what is done in time failed: {error!r}")
            raise
        self._schedule()

    def _do_what_is_due(self, now: float) -> None:
        for index, duty in enumerate(self._duties):
            if self._due_at[index] <= now:
                self._due_at[index] = now + duty.every_s
                duty.work(now)

    def _deadlines(self, now: float) -> None:
        self._engine.expire_requests(now)
        self._engine.run(self._engine.core.tick(now))

    def _marks(self, now: float) -> None:
        wall_us = self._engine.world.clock.wall_us()
        self._engine.logs.mark_idle(now, self._settings.mark_idle_s, wall_us)

    def apply_retention(self) -> None:
        """Remove what every partition may let go, by age and by size."""
        engine = self._engine
        now_us = engine.world.clock.wall_us()
        for log_id, log in engine.logs.data_logs():
            topic = engine.core.topics.by_id.get(log_id.topic_id)
            if topic is None:
                continue
            own = topic.info.settings
            age_s = own.get("retention_age_s", self._settings.retention_age_s)
            size_bytes = own.get("retention_bytes", self._settings.retention_bytes)
            if not age_s and not size_bytes:
                continue
            offset = retained_from(
                log.segments(),
                now_us,
                max_age_us=int(age_s * 1_000_000) or None,
                max_bytes=int(size_bytes) or None,
                hold_offset=topic.hold_offset(log_id.partition),
            )
            if offset > log.first_offset:
                engine.run(engine.core.truncate(log_id, offset))


def _connections_s(settings: Settings) -> float:
    """Often enough that no deadline of a connection is missed by more than a quarter."""
    shortest_s = min(settings.heartbeat_s, settings.handshake_deadline_s, settings.write_stall_s)
    return max(_TICK_S, shortest_s / 4)
