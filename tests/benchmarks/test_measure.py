"""How the results of a producer and a consumer become one measurement."""

import os
from typing import Any

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.harness import Worker, measure
from benchmarks.measurement import Measurement
from benchmarks.task import Scenario, Task

TASK = Task("client", {}, Scenario(100), {}, 1.0)


class AnsweringWorker(Worker):
    """A worker without a process, whose result is known: it ends so long after the start."""

    def __init__(self, records: int, after_s: int) -> None:
        self._records = records
        self._after_ns = after_s * 1_000_000_000
        self._start_ns = 0

    def start_at(self, start_ns: int) -> None:
        self._start_ns = start_ns

    def result(self) -> dict[str, Any]:
        return {"records": self._records, "ended_ns": self._start_ns + self._after_ns, "cpu_s": 0.5}


def measured(consumer: Worker, producer: Worker) -> Measurement:
    return measure("name", TASK, 3, os.getpid(), consumer, producer)


@pytest.mark.parametrize(("received_s", "confirmed_s"), [(2, 5), (5, 2)])
def test_a_run_ends_when_all_is_received_and_confirmed(received_s: int, confirmed_s: int) -> None:
    run = measured(AnsweringWorker(70, received_s), AnsweringWorker(70, confirmed_s))
    assert run.elapsed_s == 5
    assert run.records_per_s == 14
    assert (run.system, run.repetition, run.scenario) == ("name", 3, TASK.scenario)
    assert (run.producer_cpu_s, run.consumer_cpu_s) == (0.5, 0.5)


def test_a_lost_record_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match="70 records sent, 69 received"):
        measured(AnsweringWorker(69, 1), AnsweringWorker(70, 1))
