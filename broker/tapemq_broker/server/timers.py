"""Everything that happens because time passes, from one timer."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from tapemq_broker.config import Settings
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.flow import Flow
from tapemq_broker.server.retention import Retention
from tapemq_broker.server.rounds import Round

log = logging.getLogger("tapemq.broker")

_TICK_S: Final = 0.05
_DISK_S: Final = 1.0
_PAUSE_S: Final = 1.0
_CONNECTIONS_AT_ONCE: Final = 400
"""At 1 µs each, and 10 µs for a ping. 10,000 take 1.2 seconds."""
_LOGS_AT_ONCE: Final = 100
"""At 6 µs each, and 1 µs for each segment. 10,000 take 5 seconds."""


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
        self._paused = False
        sessions, retention = engine.sessions, Retention(settings, engine)
        self._checks = Round(
            _connections_s(settings), sessions.numbers, sessions.check, at_once=_CONNECTIONS_AT_ONCE
        )
        self._retention = Round(
            settings.retention_check_s,
            engine.logs.data_logs,
            lambda log, now: retention.apply(log[1]),
            at_once=_LOGS_AT_ONCE,
        )
        self._duties = [
            _Duty(_TICK_S, self._deadlines),
            _Duty(settings.mark_idle_s / 2, self._marks),
            _Duty(_DISK_S, lambda now: flow.check_disk()),
            _Duty(_DISK_S, lambda now: engine.logs.write_soon()),
            # What found no file to be opened is removed then, though there may be nothing new:
            # on a full disk nothing is published, and retention lets go of nothing more.
            _Duty(_DISK_S, lambda now: engine.world.disk.discard(())),
            _Duty(_TICK_S, lambda now: flow.check_memory()),
            _Duty(_TICK_S, self._checks.step),
            _Duty(_TICK_S, self._retention.step),
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
        self._checks.begin(now)
        self._retention.begin(now)
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
        # Who stood still has not read what arrived meanwhile: heartbeats, acks, extensions. Once.
        self._paused = self._lag_s >= _PAUSE_S and not self._paused
        try:
            if not self._paused:
                self.do_what_is_due()
        except Exception as error:
            # Without its timer a broker would serve on, and keep no deadline and no limit.
            log.exception("what is done in time failed")
            self._engine.world.fatal(f"what is done in time failed: {error!r}")
            raise
        self._schedule()

    def do_what_is_due(self) -> None:
        """Every duty whose time has come."""
        now = self._engine.world.clock.monotonic()
        for index, duty in enumerate(self._duties):
            if self._due_at[index] <= now:
                self._due_at[index] = now + duty.every_s
                duty.work(now)

    def _deadlines(self, now: float) -> None:
        self._engine.expire_requests(now)
        self._engine.run(self._engine.core.tick(now, self._engine.due_clock.now_us()))

    def _marks(self, now: float) -> None:
        wall_us = self._engine.world.clock.wall_us()
        self._engine.logs.mark_idle(now, self._settings.mark_idle_s, wall_us)


def _connections_s(settings: Settings) -> float:
    """Often enough that no deadline of a connection is missed by more than a quarter."""
    shortest_s = min(settings.heartbeat_s, settings.handshake_deadline_s, settings.write_stall_s)
    return max(_TICK_S, shortest_s / 4)
