"""Totals since the start. Plain integers: counting costs 0.04 µs, exporting is somebody else's."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Process-wide totals; none ever decreases."""

    records_published: int = 0
    bytes_published: int = 0
    batches_published: int = 0
    duplicates: int = 0
    schedules_made: int = 0
    schedules_fired: int = 0
    publishes_refused: int = 0
    records_delivered: int = 0
    bytes_delivered: int = 0
    deliveries: int = 0
    reads_from_disk: int = 0
    connections_opened: int = 0
    connections_closed: int = 0
    protocol_errors: int = 0
    commits: int = 0
    leases: int = 0
    records_leased: int = 0
    bytes_leased: int = 0
    records_expired: int = 0
    corrupt_reads: int = 0
    bytes_cut_at_start: int = 0
    bytes_rewritten_at_start: int = 0
    logs_opened: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
