import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from tests.support.simulation.loop import SimLoop, SimulationError
from tests.support.simulation.network import SimNetwork
from tests.support.simulation.process import Process, ProcessExit, current_process


def run(main: Callable[[SimLoop], Awaitable[None]], seed: int = 1, **options: int) -> SimLoop:
    loop = SimLoop(Random(seed), **options)
    try:
        loop.run_until_complete(main(loop))
    finally:
        loop.close()
    return loop


def test_time_jumps_to_the_next_timer() -> None:
    async def main(loop: SimLoop) -> None:
        start_s = loop.time()
        await asyncio.sleep(3600)
        assert 3600 <= loop.time() - start_s < 3600.01

    run(main)


def test_callbacks_keep_the_order_of_their_calls() -> None:
    async def main(loop: SimLoop) -> None:
        seen: list[int] = []
        for number in range(20):
            loop.call_soon(seen.append, number)
        await asyncio.sleep(0)
        assert seen == list(range(20))

    run(main)


def test_news_is_reordered_between_sources_but_not_within_one() -> None:
    orders = set()

    async def main(loop: SimLoop) -> None:
        seen: list[str] = []
        sources = {"a": object(), "b": object(), "c": object()}
        for name in ("a1", "b1", "c1", "a2", "b2", "c2"):
            loop.call_io(1.0, sources[name[0]], seen.append, name)
        await asyncio.sleep(2)
        for name in "abc":
            assert [item for item in seen if item[0] == name] == [f"{name}1", f"{name}2"]
        orders.add(tuple(seen))

    for seed in range(30):
        run(main, seed)
    assert len(orders) == 6


def test_cancelled_timer_does_not_run() -> None:
    async def main(loop: SimLoop) -> None:
        seen: list[int] = []
        loop.call_later(1, seen.append, 1).cancel()
        loop.call_later(2, seen.append, 2)
        await asyncio.sleep(3)
        assert seen == [2]

    run(main)


def test_executor_runs_later_and_passes_errors_on() -> None:
    async def main(loop: SimLoop) -> None:
        done: list[int] = []
        future = loop.run_in_executor(None, done.append, 7)
        assert not done
        await future
        assert done == [7]
        assert await loop.run_in_executor(None, pow, 2, 3) == 8
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 // 0)

    run(main)


def test_exception_in_a_callback_ends_the_run() -> None:
    async def main(loop: SimLoop) -> None:
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)

    with pytest.raises(SimulationError, match="ZeroDivisionError"):
        run(main)


def test_endless_loop_ends_the_run() -> None:
    async def main(loop: SimLoop) -> None:
        def again() -> None:
            loop.call_soon(again)

        again()
        await asyncio.sleep(1)

    with pytest.raises(SimulationError, match="endless loop"):
        run(main, steps_max=1000)


def test_world_in_which_nothing_can_happen_ends_the_run() -> None:
    async def main(loop: SimLoop) -> None:
        loop.call_later(5, lambda: None)
        await loop.create_future()

    with pytest.raises(SimulationError, match="nothing is left"):
        run(main)


async def _chatter(loop: SimLoop, trace: list[tuple[float, int]], number: int) -> None:
    for _ in range(20):
        await loop.run_in_executor(None, lambda: None)
        trace.append((loop.time(), number))
        await asyncio.sleep(loop.random.random() * 1e-4)


def test_seed_replays_exactly() -> None:
    def trace_of(seed: int) -> list[tuple[float, int]]:
        trace: list[tuple[float, int]] = []

        async def main(loop: SimLoop) -> None:
            await asyncio.gather(*(_chatter(loop, trace, number) for number in range(5)))

        run(main, seed)
        return trace

    assert trace_of(3) == trace_of(3)
    assert trace_of(3) != trace_of(4)


def test_dead_process_runs_nothing_more() -> None:
    async def main(loop: SimLoop) -> None:
        seen: list[str] = []
        process = Process("broker")

        async def live() -> None:
            try:
                assert current_process() is process
                while True:
                    await asyncio.sleep(1)
                    seen.append("tick")
            finally:
                seen.append("finally")

        task = loop.create_task(live(), context=process.context)
        loop.call_later(2.5, process.exit, "killed")
        await asyncio.sleep(10)
        assert seen == ["tick", "tick"]
        assert not task.done()
        process.bury()
        assert seen == ["tick", "tick", "finally"]

    run(main)


def test_exit_of_a_process_is_no_failure_of_the_run() -> None:
    async def main(loop: SimLoop) -> None:
        process = Process("broker")
        told: list[str] = []
        process.at_exit(lambda: told.append(process.exit_reason))

        def die() -> None:
            process.exit("the disk failed")
            process.exit("twice")
            raise ProcessExit

        loop.call_soon(die, context=process.context)
        await asyncio.sleep(1)
        assert told == ["the disk failed"]
        assert current_process() is None

    run(main)


def test_paused_process_catches_up() -> None:
    async def main(loop: SimLoop) -> None:
        SimNetwork(loop, Random(1))
        process = Process("app")
        seen: list[tuple[str, int]] = []

        async def live() -> None:
            for number in range(6):
                await asyncio.sleep(1)
                seen.append((f"tick {number}", round(loop.time() - start_s)))

        start_s = loop.time()
        loop.create_task(live(), context=process.context)
        await asyncio.sleep(1.5)
        loop.pause(process, 10)
        loop.pause(process, 1)
        await asyncio.sleep(20)
        assert seen[:3] == [("tick 0", 1), ("tick 1", 12), ("tick 2", 13)]

    run(main)


def test_paused_process_may_die() -> None:
    async def main(loop: SimLoop) -> None:
        SimNetwork(loop, Random(1))
        process = Process("app")
        seen: list[int] = []
        loop.call_later(2, seen.append, 1, context=process.context)
        loop.pause(process, 10)
        await asyncio.sleep(5)
        process.exit("killed")
        await asyncio.sleep(20)
        assert seen == []

    run(main)
