import asyncio

import pytest

from benchmarks.per_record import (
    RUN,
    SOURCES,
    VALUES,
    WAYS,
    gathering,
    handed_over,
    handed_over_together,
    measure,
)


def test_all_ways_make_the_same_records() -> None:
    for make in WAYS.values():
        assert [record.value for record in make()] == list(VALUES)


async def test_every_source_yields_every_run() -> None:
    for source in SOURCES.values():
        assert [record.value async for record in source(3)] == 3 * list(VALUES)


async def test_a_producer_takes_all_values_into_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = gathering()
    monkeypatch.setattr("benchmarks.per_record.gathering", lambda: producer)
    await handed_over(3)
    assert producer._open.values == 3 * RUN * [VALUES[0]]
    await handed_over_together(1)
    assert len(producer._open.values) == 4 * RUN


def test_every_case_takes_some_time() -> None:
    took_ns = asyncio.run(measure(runs=1, repetitions=2))
    assert {"made, struct", "read, slots filled", "sent, no options", "Producer.send"} <= set(
        took_ns
    )
    assert min(took_ns.values()) > 0
