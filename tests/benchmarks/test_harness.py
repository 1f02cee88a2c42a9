"""The harness from end to end, with a broker that only passes bytes on."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.harness import ROOT, Plan, run_disk_loop, run_once
from benchmarks.task import Endpoint, Scenario, Settings
from tests.support.spans import growing_spans_s


class RelayBroker:
    def __init__(self, wrapper: Sequence[str]) -> None:
        command = [*wrapper, sys.executable, "-m", "tests.support.relay_broker"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout
        self.endpoint: Endpoint = {"port": int(self._process.stdout.readline())}
        self.pid = self._process.pid
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True
        self._process.terminate()
        self._process.communicate()


class Relay:
    name = "relay"
    title = "Relay"
    client = "tests.support.relay_client"
    broker: RelayBroker

    def measures(self, _: Scenario) -> bool:
        return True

    def settings(self, _: Scenario) -> Settings:
        return {"records_per_call": 10, "damaged": -1}

    def versions(self) -> dict[str, str]:
        return {}

    def start(self, _: Path, wrapper: Sequence[str] = ()) -> RelayBroker:
        self.broker = RelayBroker(wrapper)
        return self.broker


@pytest.fixture
def relay() -> Iterator[Relay]:
    system = Relay()
    yield system
    assert system.broker.stopped


def test_a_run_at_full_speed(relay: Relay, tmp_path: Path) -> None:
    for span_s in growing_spans_s(0.02):
        measured = run_once(relay, Scenario(100), Plan(span_s, tmp_path, {}), repetition=2)
        if measured.records:
            break
    assert (measured.system, measured.repetition) == ("relay", 2)
    assert measured.records > 0
    assert measured.records % 10 == 0
    assert measured.elapsed_s > span_s
    assert measured.broker_peak_bytes > 1_000_000
    assert measured.latency_ms == {}
    assert list(tmp_path.iterdir()) == []


def test_a_run_on_a_schedule(relay: Relay, tmp_path: Path) -> None:
    measured = run_once(relay, Scenario(1024, 1_000), Plan(0.05, tmp_path, {}))
    assert measured.records == 50
    assert measured.elapsed_s >= 0.049
    assert 0 < measured.latency_ms["p50"] <= measured.latency_ms["max"]


def test_a_damaged_record_ends_the_benchmark(relay: Relay, tmp_path: Path) -> None:
    def run() -> None:
        for span_s in growing_spans_s(0.02):
            run_once(relay, Scenario(100), Plan(span_s, tmp_path, {"damaged": 5}))

    with pytest.raises(BenchmarkError, match="the consumer failed"):
        run()


def test_the_bare_disk_loop(tmp_path: Path) -> None:
    for span_s in growing_spans_s(0.02):
        plan = Plan(span_s, tmp_path, {})
        on_schedule = run_disk_loop(Scenario(1024, 1_000), plan, 1)
        if on_schedule.records:
            break
    assert 0 < on_schedule.records <= 1_000 * span_s
    assert on_schedule.latency_ms["p50"] > 0
    assert run_disk_loop(Scenario(65_536), plan, 1).records % 16 == 0
