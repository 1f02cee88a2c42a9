"""Counters begin at nothing, each broker with its own."""

from dataclasses import asdict

from tapemq_broker.server.counters import Counters


def test_two_brokers_in_a_process_count_apart() -> None:
    first, second = Counters(), Counters()
    first.refusals["disk_full"] = 1
    first.deliveries += 1
    assert not any(asdict(second).values())
