from dataclasses import fields

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tapemq_broker.admin.metrics import COUNTERS, GAUGES, LABELLED, TOTALS, exposition
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.recovery_progress import RecoveryProgress
from tapemq_broker.server.status import Status
from tests.support.status import status

# Names are a promise to dashboards.
NAMES = {
    "tapemq_published_records_total",
    "tapemq_published_bytes_total",
    "tapemq_published_batches_total",
    "tapemq_duplicate_batches_total",
    "tapemq_schedules_made_total",
    "tapemq_schedules_fired_total",
    "tapemq_refused_publishes_total",
    "tapemq_delivered_records_total",
    "tapemq_delivered_bytes_total",
    "tapemq_deliveries_total",
    "tapemq_disk_reads_total",
    "tapemq_connections_opened_total",
    "tapemq_connections_closed_total",
    "tapemq_protocol_errors_total",
    "tapemq_commits_total",
    "tapemq_leases_total",
    "tapemq_leased_records_total",
    "tapemq_dropped_records_total",
    "tapemq_expired_records_total",
    "tapemq_leased_bytes_total",
    "tapemq_corrupt_reads_total",
    "tapemq_torn_bytes_cut_total",
    "tapemq_rewritten_bytes_total",
    "tapemq_syncs_total",
    "tapemq_synced_files_total",
    "tapemq_ready",
    "tapemq_topics",
    "tapemq_damaged_partitions",
    "tapemq_connections",
    "tapemq_subscriptions",
    "tapemq_schedules_pending",
    "tapemq_queue_cache_bytes",
    "tapemq_disk_free_bytes",
    "tapemq_disk_limit_bytes",
    "tapemq_publishing_bytes",
    "tapemq_event_loop_lag_seconds",
    "tapemq_boot_epoch",
    "tapemq_publishing_blocked",
    "tapemq_build_info",
}
SHOWN_OTHERWISE = {"software", "blocked", "uptime_s", "totals"}


def samples(reading: Status) -> dict[str, float]:
    """Values by name; by name and labels where there are some."""
    text = exposition(lambda: reading)().decode()
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_names_and_types_are_as_promised() -> None:
    text = exposition(status)().decode()
    families = list(text_string_to_metric_families(text))
    names = {sample.name for family in families for sample in family.samples}
    assert {name for name in names if name.startswith("tapemq_")} == NAMES
    for family in families:
        assert family.documentation
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")


def test_nothing_that_the_broker_counts_is_left_out() -> None:
    assert {key for key, _, _ in TOTALS} | {key for key, *_ in LABELLED} == {
        item.name for item in fields(Counters)
    }
    shown = {field for field, _, _ in (*COUNTERS, *GAUGES)} | SHOWN_OTHERWISE
    assert shown == set(Status._fields)


@pytest.mark.parametrize(("key", "name", "text"), TOTALS)
def test_total_has_its_value(key: str, name: str, text: str) -> None:
    counters = Counters()
    setattr(counters, key, 7)
    found = samples(status(counters))
    assert {item for item in found if found[item] == 7} == {f"tapemq_{name}_total"}


@pytest.mark.parametrize(("field", "name", "text"), GAUGES)
def test_gauge_has_its_value(field: str, name: str, text: str) -> None:
    assert samples(status(**{field: 7}))[f"tapemq_{name}"] == 7


@pytest.mark.parametrize(("field", "name", "text"), COUNTERS)
def test_counter_has_its_value(field: str, name: str, text: str) -> None:
    assert samples(status(**{field: 7}))[f"tapemq_{name}_total"] == 7


@pytest.mark.parametrize(("key", "label", "name", "text"), LABELLED)
def test_labelled_total_has_its_values(key: str, label: str, name: str, text: str) -> None:
    counters = Counters()
    setattr(counters, key, {"one": 2, "other": 3})
    found = samples(status(counters))
    assert found[f"tapemq_{name}_total{{one}}"] == 2
    assert found[f"tapemq_{name}_total{{other}}"] == 3
    assert (
        f'tapemq_{name}_total{{{label}="one"}} 2' in exposition(lambda: status(counters))().decode()
    )


def test_blocked_publishing_is_a_gauge() -> None:
    assert samples(status())["tapemq_publishing_blocked"] == 0
    assert samples(status(blocked="disk_low"))["tapemq_publishing_blocked"] == 1


def test_the_process_is_measured_too() -> None:
    found = samples(status())
    assert found["process_resident_memory_bytes"] > 0
    assert found["process_open_fds"] > 0


def test_each_reading_is_a_new_one() -> None:
    counters = Counters()
    show = exposition(lambda: status(counters))
    assert b"tapemq_commits_total 0.0" in show()
    counters.commits = 1
    assert b"tapemq_commits_total 1.0" in show()


def test_a_broker_that_starts_is_not_ready_and_says_no_more() -> None:
    said = exposition(RecoveryProgress)().decode()
    names = {line.split(" ")[0] for line in said.splitlines() if line.startswith("tapemq_")}
    assert names == {"tapemq_ready"}
    assert "\ntapemq_ready 0.0\n" in said
