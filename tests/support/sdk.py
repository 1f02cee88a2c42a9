"""The SDK against the fake broker, without waiting between attempts."""

import asyncio
from typing import Any

from tapemq._clock import Clock
from tapemq.client import Client
from tapemq.connecting import connect_with
from tapemq.errors import Error
from tapemq.network.connection import Connection
from tapemq.network.dial import dial
from tapemq.network.link import Link
from tapemq.network.url import Address, Target
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker

HELLO = m.Hello([1], "test")

SENT_BY_THEN_S = 0.5
"""What is called is looked up and sent within this time, on a slow machine too. Whoever tests that
something is sent, and not answered in time, gives it so much."""


class QuickClock(Clock):
    """Draws the shortest wait."""

    def fraction(self) -> float:
        return 0.0


async def client_of(broker: FakeBroker, **options: Any) -> Client:
    """A connected client; to be used with ``async with``."""
    return await connect_with(broker.url, clock=QuickClock(), dial=dial, **options)


async def connection_to(broker: FakeBroker) -> Connection:
    """One open connection."""
    connection = await dial(address_of(broker), False, HELLO)
    await connection.opened
    return connection


def address_of(broker: FakeBroker) -> Address:
    return Address("127.0.0.1", broker.port)


def link_to(*brokers: FakeBroker) -> Link:
    """A link that is not open yet."""
    return Link(Target(tuple(map(address_of, brokers)), False), HELLO, QuickClock(), dial)


class Listener:
    """Sees connections come and go."""

    def __init__(self, link: Link) -> None:
        self.seen: list[str] = []
        self._changed = asyncio.Event()
        link.listen(self)

    def link_up(self, connection: Connection) -> None:
        assert connection.is_open
        self._see("up")

    def link_down(self, reason: Error) -> None:
        self._see("down")

    def _see(self, what: str) -> None:
        self.seen.append(what)
        self._changed.set()

    async def sees(self, *expected: str) -> None:
        """Wait until just this has happened."""
        while self.seen != [*expected]:
            self._changed.clear()
            await self._changed.wait()
