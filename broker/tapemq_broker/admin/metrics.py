"""The broker's totals as Prometheus metrics.

The broker counts in plain integers; they are read and named when somebody asks. All totals are of
the process: they never decrease, whatever connects and disconnects.
"""

import platform
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from tapemq_broker.admin.readiness import Reading
from tapemq_broker.server.recovery_progress import RecoveryProgress
from tapemq_broker.server.status import Status

Family = CounterMetricFamily | GaugeMetricFamily | InfoMetricFamily

# Key in Status.totals, name without prefix and _total, help.
TOTALS: Final = (
    ("records_published", "published_records", "Records appended to topics."),
    ("bytes_published", "published_bytes", "Bytes of batches appended to topics."),
    ("batches_published", "published_batches", "Batches appended to topics."),
    ("duplicates", "duplicate_batches", "Batches sent again that were in the log already."),
    ("schedules_made", "schedules_made", "Schedules accepted, replacements among them."),
    ("schedules_fired", "schedules_fired", "Records that schedules have appended."),
    ("publishes_refused", "refused_publishes", "Batches that were refused."),
    ("records_delivered", "delivered_records", "Records sent to readers."),
    ("bytes_delivered", "delivered_bytes", "Bytes of batches sent to readers."),
    ("deliveries", "deliveries", "Messages in which records were sent to readers."),
    ("reads_from_disk", "disk_reads", "Reads that had to wait for the disk."),
    ("connections_opened", "connections_opened", "Connections opened."),
    ("connections_closed", "connections_closed", "Connections closed."),
    ("protocol_errors", "protocol_errors", "Connections ended because of what they sent."),
    ("commits", "commits", "Positions committed by groups."),
    ("leases", "leases", "Leases sent to consumers of queue groups."),
    ("records_leased", "leased_records", "Records leased to consumers of queue groups."),
    ("records_expired", "expired_records", "Records not leased: their time to live was over."),
    ("bytes_leased", "leased_bytes", "Bytes of batches sent to consumers of queue groups."),
    ("corrupt_reads", "corrupt_reads", "Reads that found damage on disk."),
    ("bytes_cut_at_start", "torn_bytes_cut", "Bytes without receipt set aside by recovery."),
    ("bytes_rewritten_at_start", "rewritten_bytes", "Bytes that recovery brought to disk anew."),
)

# Field of Status, name without prefix and _total, help.
COUNTERS: Final = (
    ("sync_rounds", "syncs", "Rounds of syncs; one makes all that waits durable."),
    ("files_synced", "synced_files", "Files synced."),
    ("records_dropped", "dropped_records", "Records that went because there were too many."),
)
_READY: Final = ("ready", "ready", "1 if the broker takes connections.")
GAUGES: Final = (
    _READY,
    ("topics", "topics", "Topics."),
    ("damaged_partitions", "damaged_partitions", "Partitions, or topics, refused for damage."),
    ("connections", "connections", "Connections open."),
    ("subscriptions", "subscriptions", "Subscriptions open."),
    ("schedules_pending", "schedules_pending", "Schedules that are pending."),
    ("queue_cache_bytes", "queue_cache_bytes", "Batches kept in memory for queue groups."),
    ("disk_free_bytes", "disk_free_bytes", "Free disk space."),
    ("disk_mark_bytes", "disk_limit_bytes", "Free disk space below which publishing is blocked."),
    ("publishing_bytes", "publishing_bytes", "Bytes being published, without receipts yet."),
    ("loop_lag_s", "event_loop_lag_seconds", "How late the event loop ran its last timer."),
    ("boot_epoch", "boot_epoch", "How often a broker was started on this data directory."),
)

# Key in Status.totals, whose value is a count by label; the label; name and help as above.
LABELLED: Final = (
    ("refusals", "error", "refused_requests", "Requests refused, by the error they got."),
    ("settled", "verb", "settled_records", "Records settled by consumers, by how."),
    ("logs_opened", "row", "opened_logs", "Logs opened at the start, by the row of recovery."),
)

_PREFIX: Final = "tapemq_"


class StatusCollector(Collector):
    """Names what a reading of the broker's status says."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read

    def collect(self) -> Iterator[Family]:
        """One family for each number; while the broker starts, only that it is not ready."""
        status = self._read()
        if isinstance(status, RecoveryProgress):
            yield GaugeMetricFamily(_PREFIX + _READY[1], _READY[2], value=0)
            return
        for key, name, text in TOTALS:
            yield CounterMetricFamily(_PREFIX + name, text, value=status.totals[key])
        for field, name, text in COUNTERS:
            yield CounterMetricFamily(_PREFIX + name, text, value=getattr(status, field))
        for field, name, text in GAUGES:
            yield GaugeMetricFamily(_PREFIX + name, text, value=float(getattr(status, field)))
        for key, label, name, text in LABELLED:
            yield _labelled(name, text, label, status.totals[key])
        yield GaugeMetricFamily(
            f"{_PREFIX}publishing_blocked",
            "1 if publishing is blocked.",
            value=bool(status.blocked),
        )
        yield _build(status)


def _labelled(name: str, text: str, label: str, counts: Mapping[str, int]) -> Family:
    family = CounterMetricFamily(_PREFIX + name, text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def _build(status: Status) -> Family:
    labels = {"software": status.software, "python": platform.python_version()}
    return InfoMetricFamily(f"{_PREFIX}build", "What runs.", value=labels)


def exposition(read: Callable[[], Reading]) -> Callable[[], bytes]:
    """A function that returns the metrics of now in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(StatusCollector(read))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)
