"""How much is read of all clients before others have their turn."""

import asyncio
from functools import partial

import pytest

from tapemq_broker.server import reading_turns
from tapemq_broker.server.clock import RealClock
from tapemq_broker.server.reading_turns import READ_BYTES, ReadingTurns


class SetClock(RealClock):
    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def turns(clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> ReadingTurns:
    monkeypatch.setattr(reading_turns, "_TURN_BYTES", 2 * READ_BYTES)
    return ReadingTurns(clock)


async def test_a_turn_is_over_when_its_bytes_are_read(turns: ReadingTurns) -> None:
    assert not turns.is_over()
    turns.read(2 * READ_BYTES - 1)
    assert not turns.is_over()
    turns.read(1)
    assert turns.is_over()
    await asyncio.sleep(0)
    assert not turns.is_over()
    turns.read(2 * READ_BYTES - 1)
    assert not turns.is_over(), "the next one has bytes of its own"


async def test_a_turn_is_over_when_its_time_is(turns: ReadingTurns, clock: SetClock) -> None:
    turns.read(1)
    clock.now_s += 0.0049
    assert not turns.is_over()
    clock.now_s += 0.0002
    assert turns.is_over()
    await asyncio.sleep(0)
    turns.read(1)
    assert not turns.is_over()


async def test_as_many_go_on_in_a_turn_as_it_can_read_of(turns: ReadingTurns) -> None:
    gone: list[int] = []
    for number in range(5):
        turns.wait(partial(gone.append, number))
    seen = []
    while len(gone) < 5:
        await asyncio.sleep(0)
        seen.append(list(gone))
    assert seen == [[0, 1], [0, 1, 2, 3], [0, 1, 2, 3, 4]]


async def test_who_must_wait_again_is_behind_the_others(
    turns: ReadingTurns, clock: SetClock
) -> None:
    gone: list[str] = []

    def greedy() -> None:
        gone.append("greedy")
        clock.now_s += 1.0
        if len(gone) < 4:
            turns.wait(greedy)

    turns.wait(greedy)
    turns.wait(partial(gone.append, "modest"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert gone == ["greedy", "modest", "greedy", "greedy"]


async def test_who_fails_holds_up_nobody(turns: ReadingTurns) -> None:
    told: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: told.append(context["exception"]))
    gone: list[str] = []

    def fail() -> None:
        raise ValueError

    turns.wait(fail)
    turns.wait(partial(gone.append, "next"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert gone == ["next"]
    assert [type(error) for error in told] == [ValueError]
