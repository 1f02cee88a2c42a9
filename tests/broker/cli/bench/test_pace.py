import asyncio

import pytest

from tapemq_broker.cli.bench.pace import due_times


class Clock:
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def wall_us(self) -> int:
        return 0

    async def sleep(self, duration_s: float) -> None:
        self.now += duration_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio, "sleep", clock.sleep)
    return clock


async def test_each_comes_when_it_is_due(clock: Clock) -> None:
    found = [(due, clock.now) async for due in due_times(clock, 4, rate=2.0)]
    assert found == [(100.0, 100.0), (100.5, 100.5), (101.0, 101.0), (101.5, 101.5)]


async def test_who_was_held_up_gets_those_missed_at_once_with_their_times(clock: Clock) -> None:
    found = []
    async for due in due_times(clock, 5, rate=2.0):
        found.append((due, clock.now))
        if len(found) == 1:
            clock.now += 1.2
    assert found == [
        (100.0, 100.0),
        (100.5, 101.2),
        (101.0, 101.2),
        (101.5, 101.5),
        (102.0, 102.0),
    ]
