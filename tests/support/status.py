"""Readings of a broker's status, as tests want them."""

from dataclasses import asdict
from typing import Any

from tapemq_broker.server.counters import Counters
from tapemq_broker.server.status import Status


def status(totals: Counters | None = None, /, **changes: Any) -> Status:
    """A broker that has just started, with changes."""
    reading = Status(
        software="tapemq 1.2.3",
        ready=True,
        blocked="",
        uptime_s=1.5,
        boot_epoch=1,
        topics=0,
        damaged_partitions=0,
        connections=0,
        subscriptions=0,
        schedules_pending=0,
        queue_cache_bytes=0,
        sync_rounds=0,
        files_synced=0,
        records_dropped=0,
        disk_free_bytes=1000,
        disk_mark_bytes=100,
        publishing_bytes=0,
        loop_lag_s=0.0,
        totals=asdict(totals or Counters()),
    )
    return reading._replace(**changes)
