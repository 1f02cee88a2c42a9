"""Connections in memory, with delays, cuts, resets and silence."""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Final

from tests.support.simulation.pipe import Pipe
from tests.support.simulation.process import Process, process_of
from tests.support.simulation.transport import SimSocket, SimTransport
from tests.support.simulation.weather import Weather

if TYPE_CHECKING:
    from tests.support.simulation.loop import SimLoop

HOST: Final = "127.0.0.1"
_ABORTED: Final = "Software caused connection abort"

ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class SimServer(asyncio.AbstractServer):
    """A listening port."""

    def __init__(self, network: "SimNetwork", factory: ProtocolFactory, port: int) -> None:
        self._network = network
        self._open = True
        self.factory = factory
        self.port = port
        self.context: Context = copy_context()
        self.process = process_of(self.context)
        self._accepted = 0
        self._nobody = asyncio.Event()
        self._nobody.set()
        self.sockets = (SimSocket((HOST, port), ("", 0)),)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._network.loop

    def is_serving(self) -> bool:
        return self._open

    async def start_serving(self) -> None:
        """Do nothing: it listens from the start."""

    async def serve_forever(self) -> None:
        await self._network.loop.create_future()

    def close(self) -> None:
        self._open = False
        self._network.unlisten(self)

    async def wait_closed(self) -> None:
        """Wait for the accepted connections too, as Python does since 3.12."""
        await self._nobody.wait()

    def count(self, change: int) -> None:
        """So many more connections, or fewer, are there."""
        self._accepted += change
        (self._nobody.clear if self._accepted else self._nobody.set)()


class SimNetwork:
    """All connections and listening ports of a simulation. It belongs to no process.

    ``reachable`` off: connection attempts get no answer at all (the machine has no power).
    """

    def __init__(self, loop: "SimLoop", random: Random, weather: Weather | None = None) -> None:
        self.loop = loop
        self.random = random
        self.weather = weather or Weather()
        self.context = copy_context()
        self.reachable = True
        self.connects = 0
        self._transports: dict[SimTransport, SimServer | None] = {}
        self._servers: dict[int, SimServer] = {}
        self._ports = count(40_000)
        loop.network = self

    @property
    def transports(self) -> list[SimTransport]:
        """Both ends of all connections, oldest first."""
        return list(self._transports)

    def listen(self, factory: ProtocolFactory, host: str, port: int, **options: Any) -> SimServer:
        """Open a port; 0 takes a free one."""
        if options.get("ssl"):
            raise NotImplementedError("the simulated network has no TLS")
        port = port or next(self._ports)
        if port in self._servers:
            raise OSError(98, f"error while attempting to bind on address ({host!r}, {port})")
        server = self._servers[port] = SimServer(self, factory, port)
        return server

    def unlisten(self, server: SimServer) -> None:
        """Close a port."""
        if self._servers.get(server.port) is server:
            del self._servers[server.port]

    async def connect(
        self, factory: ProtocolFactory, port: int, **options: Any
    ) -> tuple[SimTransport, asyncio.BaseProtocol]:
        """Connect to a port. Raises ConnectionRefusedError, TimeoutError."""
        if options.get("ssl"):
            raise NotImplementedError("the simulated network has no TLS")
        await self._travel()
        if not self.reachable:
            await asyncio.sleep(130)
            raise TimeoutError(110, "Connection timed out")
        server = self._servers.get(port)
        if server is None:
            raise ConnectionRefusedError(111, f"Connect call failed ({HOST!r}, {port})")
        self.connects += 1
        transport = self._join(factory(), server)
        transport.start()
        return transport, transport.get_protocol()

    async def _travel(self) -> None:
        there: asyncio.Future[None] = self.loop.create_future()
        delay_s = self.weather.delay_s(self.random)
        self.loop.call_io(delay_s, there, _arrive, there, context=self.context)
        await there

    def _join(self, protocol: asyncio.BaseProtocol, server: SimServer) -> SimTransport:
        here, there = (HOST, next(self._ports)), (HOST, server.port)
        forth, back = Pipe(self.random, self.weather), Pipe(self.random, self.weather)
        near = SimTransport(self, protocol, forth, back, SimSocket(here, there))
        # The kernel accepts at once; the process learns of it a little later.
        placeholder = asyncio.Protocol()
        far = server.context.copy().run(
            SimTransport, self, placeholder, back, forth, SimSocket(there, here)
        )
        forth.sender, forth.receiver = near, far
        back.sender, back.receiver = far, near
        self._transports |= {near: None, far: server}
        server.count(+1)
        delay_s = self.weather.wake_s(self.random)
        self.loop.call_io(delay_s, server, _accept, server, far, context=server.context)
        return near

    def forget(self, transport: SimTransport) -> None:
        """A transport is done."""
        server = self._transports.pop(transport, None)
        if server is not None:
            server.count(-1)

    def cut(self, transport: SimTransport, after_s: float, peer_after_s: float) -> None:
        """Break a connection: nothing passes any more, each side is told at its own time.

        ``math.inf`` as a time: that side is never told (half-open).
        """
        self.darken(transport)
        for end, delay_s in ((transport, after_s), (transport.incoming.sender, peer_after_s)):
            if delay_s != float("inf"):
                error = ConnectionAbortedError(103, _ABORTED)
                self.loop.call_io(delay_s, end, end.break_off, error, context=self.context)

    def darken(self, transport: SimTransport) -> None:
        """Let nothing pass any more, and tell nobody."""
        transport.outgoing.dark = transport.incoming.dark = True

    def process_died(self, process: Process) -> None:
        """The kernel closes what the process had open."""
        for server in [server for server in self._servers.values() if server.process is process]:
            server.close()
        for transport in self._of(process):
            transport.die()
            self.forget(transport)

    def power_failed(self, process: Process) -> list[SimTransport]:
        """The machine is gone without a word. Its peers, to be told when (and if) it is back."""
        ends = self._of(process)
        for transport in ends:
            self.darken(transport)
        self.process_died(process)
        return [transport.incoming.sender for transport in ends]

    def _of(self, process: Process) -> list[SimTransport]:
        return [transport for transport in self._transports if transport.process is process]


def _arrive(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _accept(server: SimServer, transport: SimTransport) -> None:
    if server.is_serving() and not transport.is_closing():
        transport.set_protocol(server.factory())
        transport.start()
    elif not transport.is_closing():
        transport.abort()
