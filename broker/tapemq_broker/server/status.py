"""How a broker is, in plain numbers, for metrics, health and people."""

from dataclasses import asdict
from typing import Any, NamedTuple

from tapemq_broker.server.counters import Counters
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.flow import Flow
from tapemq_broker.server.identity import Identity
from tapemq_broker.server.schedules.service import Schedules
from tapemq_broker.server.timers import Timers


class Status(NamedTuple):
    """A reading. ``totals`` never decrease; the rest is as of now."""

    software: str
    ready: bool
    blocked: str
    uptime_s: float
    boot_epoch: int
    topics: int
    damaged_partitions: int
    connections: int
    subscriptions: int
    schedules_pending: int
    queue_cache_bytes: int
    sync_rounds: int
    files_synced: int
    records_dropped: int
    disk_free_bytes: int
    disk_mark_bytes: int
    publishing_bytes: int
    loop_lag_s: float
    totals: dict[str, Any]

    @classmethod
    def of(
        cls,
        counters: Counters,
        engine: Engine,
        flow: Flow,
        schedules: Schedules,
        timers: Timers,
        ready: bool,
        identity: Identity,
    ) -> "Status":
        """Take a reading."""
        topics = engine.core.topics.by_id.values()
        damaged = sum(bool(p.groups_damage) for t in topics for p in t.partitions)
        return cls(
            software=identity.software,
            ready=ready,
            blocked=flow.blocked,
            uptime_s=engine.world.clock.monotonic() - identity.started_at,
            boot_epoch=identity.boot_epoch,
            topics=len(topics),
            damaged_partitions=damaged + len(engine.core.topics.refused),
            connections=len(engine.sessions.by_number),
            subscriptions=len(engine.core.streams) + len(engine.core.queues),
            schedules_pending=schedules.shelf.pending,
            queue_cache_bytes=engine.leases.cache.size_bytes,
            sync_rounds=engine.logs.flusher.rounds,
            files_synced=engine.logs.flusher.files_synced,
            records_dropped=engine.core.records_dropped,
            disk_free_bytes=flow.disk_free_bytes,
            disk_mark_bytes=flow.disk_mark_bytes,
            publishing_bytes=engine.sessions.memory.used_bytes,
            loop_lag_s=timers.lag_s,
            totals=asdict(counters),
        )
