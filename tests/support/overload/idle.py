"""Clients that are connected and do nothing but answer pings."""

import asyncio
from typing import cast

import uvloop

from tapemq.wire import messages as m
from tapemq.wire.session import Role, Session
from tests.support.overload.sockets import HELLO

_AT_ONCE = 100


class IdleClient(asyncio.Protocol):
    """One of them."""

    def __init__(self) -> None:
        self._session = Session(Role.CLIENT, 0.0)
        self._transport: asyncio.Transport | None = None
        self.is_open = False
        self.pings = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(HELLO)

    def data_received(self, data: bytes) -> None:
        self._session.reader.feed(data)
        for message, _, _ in self._session.events():
            if isinstance(message, m.Welcome):
                self._session.open(frame_bytes_max=1 << 26)
                self.is_open = True
            elif isinstance(message, m.Ping) and self._transport is not None:
                self.pings += 1
                self._transport.write(self._session.frame_head(m.Pong(), 0.0))
        self._session.reader.shrink()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False


async def _stay(port: int, seconds: float, count: int) -> dict[str, int]:
    loop = asyncio.get_running_loop()
    clients: list[IdleClient] = []
    while len(clients) < count:
        some = min(_AT_ONCE, count - len(clients))
        made = await asyncio.gather(
            *(loop.create_connection(IdleClient, "127.0.0.1", port) for _ in range(some))
        )
        clients += [client for _, client in made]
    print("connected", flush=True)
    await asyncio.sleep(seconds)
    is_open = sum(client.is_open for client in clients)
    return {"tries": count, "open": is_open, "pings": sum(client.pings for client in clients)}


def stay(port: int, seconds: float, count: int) -> dict[str, int]:
    """Connect so many, and stay for so long."""
    return uvloop.run(_stay(port, seconds, count))
