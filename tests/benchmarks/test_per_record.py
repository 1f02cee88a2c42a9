import asyncio

from benchmarks.per_record import CALLS, RUN, VALUES, WAYS, generate, measure


def test_all_ways_make_the_same_records() -> None:
    for make in WAYS.values():
        assert [record.value for record in make()] == list(VALUES)


async def test_a_generator_yields_every_run() -> None:
    for make in WAYS.values():
        assert len([record async for record in generate(make, 3)]) == 3 * RUN


def test_every_case_takes_some_time() -> None:
    took_ns = asyncio.run(measure(runs=1, repetitions=2))
    assert len(took_ns) == 2 * len(WAYS) + len(CALLS)
    assert min(took_ns.values()) > 0
