import asyncio
import threading

import pytest

from tapemq_broker.server.schedules.index_runner import IndexRunner
from tapemq_broker.storage.schedules.index import ScheduleIndex
from tapemq_broker.storage.schedules.memory_index import MemoryScheduleIndex


async def test_calls_run_one_after_the_other_in_one_other_thread() -> None:
    runner = IndexRunner(MemoryScheduleIndex)
    seen: list[int] = []
    threads = set()

    def call(number: int) -> int:
        seen.append(number)
        threads.add(threading.get_ident())
        seen.append(number)
        return number

    calls = [runner.run(lambda index, n=n: call(n)) for n in range(5)]  # type: ignore[misc]
    assert await asyncio.gather(*calls) == [0, 1, 2, 3, 4]
    assert seen == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    await runner.close()


async def test_the_index_is_opened_when_it_is_needed() -> None:
    opened: list[ScheduleIndex] = []

    def open_index() -> ScheduleIndex:
        opened.append(MemoryScheduleIndex())
        return opened[-1]

    runner = IndexRunner(open_index)
    assert opened == []
    await runner.run(lambda index: index.topics())
    await runner.run(lambda index: index.topics())
    assert len(opened) == 1
    await runner.close()


async def test_who_closes_waits_until_the_index_is_opened_and_closes_it() -> None:
    may_open, closed = threading.Event(), list[str]()

    class Index(MemoryScheduleIndex):
        def __init__(self) -> None:
            super().__init__()
            may_open.wait()

        def close(self) -> None:
            closed.append("index")

    runner = IndexRunner(Index)
    first = asyncio.create_task(runner.run(lambda index: index.topics()))
    await asyncio.sleep(0)
    first.cancel()
    closing = asyncio.create_task(runner.close())
    await asyncio.sleep(0)
    may_open.set()
    await closing
    await runner.close()
    assert closed == ["index"]


async def test_an_answer_is_dealt_with_before_the_next_call() -> None:
    runner = IndexRunner(MemoryScheduleIndex)
    order: list[str] = []

    async def ask(name: str) -> None:
        await runner.run(lambda index: order.append(f"{name} asked"))
        order.append(f"{name} answered")

    await asyncio.gather(ask("a"), ask("b"))
    assert order == ["a asked", "a answered", "b asked", "b answered"]
    await runner.close()


async def test_what_the_index_raises_comes_back() -> None:
    def fail(index: ScheduleIndex) -> None:
        raise OSError("full")

    runner = IndexRunner(MemoryScheduleIndex)
    with pytest.raises(OSError, match="full"):
        await runner.run(fail)
    await runner.close()
