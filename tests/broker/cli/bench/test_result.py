from tapemq_broker.cli.bench.latencies import Latencies
from tapemq_broker.cli.bench.result import Result


def test_rates_follow_from_counts_and_time() -> None:
    assert Result("pub", 4096, 1024, 2.0).row() == {
        "test": "pub",
        "records": 4096,
        "size_bytes": 1024,
        "seconds": 2.0,
        "records_per_s": 2048,
        "mib_per_s": 2.0,
    }


def test_no_time_has_no_rate() -> None:
    assert Result("pub", 1, 16, 0.0).row()["records_per_s"] == 0


def test_latencies_are_added_where_there_are_any() -> None:
    latencies = Latencies()
    latencies.add(0.25)
    assert Result("pub", 1, 16, 1.0, latencies).row()["p50_ms"] == 250.0
