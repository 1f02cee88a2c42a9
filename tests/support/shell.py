"""A router without a loop: timers that the test runs, and a road to nowhere."""

from collections.abc import Callable
from typing import Any

from tapemq._clock import Clock
from tapemq.network.exchange import Exchange
from tapemq.publishing.lane import LaneOptions
from tapemq.publishing.router import Router
from tapemq.wire import messages as m


class Handle:
    """What cancels a timer."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        self.cancel = cancel


class Hands:
    """Timers that the test runs, and a road to nowhere but ``connection``."""

    def __init__(self) -> None:
        self.now = 0.0
        self.soon: list[Callable[[], object]] = []
        self.due: list[tuple[float, Callable[[], object]]] = []
        self.connection: Exchange | None = None
        self.moved_to = ""

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        self.soon.append(lambda: callback(*args))

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> Handle:
        timer = when, lambda: callback(*args)
        self.due.append(timer)
        return Handle(lambda: self.due.remove(timer))

    def hindrance(self) -> str:
        return " (a tree)"

    def move(self, address: str) -> None:
        self.moved_to = address

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Shell(Router):
    """Counts what it is asked for."""

    def __init__(self, hands: Hands, *, batch_bytes: int = 100_000, **options: Any) -> None:
        super().__init__(hands, hands, Clock(), "t", LaneOptions(batch_bytes, **options))
        self.lookups = self.steps = self.closes = 0

    def _route_again(self) -> None:
        self.lookups += 1

    def _progressed(self) -> None:
        self.steps += 1

    def close(self) -> None:
        self.closes += 1


def routed_shell(hands: Hands, **options: Any) -> Shell:
    """One that knows its topic, of two partitions."""
    shell = Shell(hands, **options)
    shell.routed(m.Producer(1, 0), m.Topic("t", 7, 2, 1, {}))
    return shell
