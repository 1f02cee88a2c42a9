import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from tests.support.simulation.loop import SimLoop, SimulationError
from tests.support.simulation.network import SimNetwork
from tests.support.simulation.process import Process
from tests.support.simulation.transport import SimTransport
from tests.support.simulation.weather import WINDOW_BYTES, Weather, draw_weather

PORT = 7077
ROUGH = Weather(latency_s=1e-3, spike_chance=0.1, spike_s=0.5, split_chance=0.5)


def run(
    main: Callable[[SimNetwork], Awaitable[None]],
    seed: int = 1,
    weather: Weather | None = None,
) -> None:
    loop = SimLoop(Random(seed))
    try:
        loop.run_until_complete(main(SimNetwork(loop, Random(seed), weather)))
    finally:
        loop.close()


class Peer(asyncio.Protocol):
    """Notes what happens to it."""

    def __init__(self, *, echo: bool = False) -> None:
        self.data = b""
        self.events: list[str] = []
        self.lost: asyncio.Future[Exception | None] = asyncio.Future()
        self._echo = echo

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, SimTransport)
        self.transport = transport
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        if self._echo:
            self.transport.write(data)

    def eof_received(self) -> None:
        self.events.append("eof")

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")
        self.lost.set_result(exc)


class Room(asyncio.BufferedProtocol):
    """A buffered protocol with room for seven bytes."""

    def __init__(self) -> None:
        self.data = b""
        self._room = bytearray(7)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        self.data += self._room[:nbytes]


async def pair(network: SimNetwork, *, echo: bool = False) -> tuple[Peer, Peer]:
    """A client and the server's side of its connection."""
    accepted: list[Peer] = []

    def accept() -> Peer:
        accepted.append(Peer(echo=echo))
        return accepted[-1]

    loop = network.loop
    await loop.create_server(accept, "127.0.0.1", PORT)
    _, client = await loop.create_connection(Peer, "127.0.0.1", PORT)
    assert isinstance(client, Peer)
    await asyncio.sleep(1)
    return client, accepted[0]


@pytest.mark.parametrize("seed", range(10))
def test_bytes_arrive_whole_and_in_order(seed: int) -> None:
    async def main(network: SimNetwork) -> None:
        client, server = await pair(network, echo=True)
        sent = b""
        for number in range(50):
            piece = bytes([number]) * network.random.randrange(1, 20_000)
            sent += piece
            client.transport.write(piece)
            if number % 10 == 0:
                await asyncio.sleep(0.01)
        await asyncio.sleep(600)
        assert server.data == sent
        assert client.data == sent

    run(main, seed, draw_weather(Random(seed)))


def test_reads_are_split() -> None:
    async def main(network: SimNetwork) -> None:
        client, server = await pair(network)
        reads: list[bytes] = []
        server.data_received = reads.append  # type: ignore[method-assign,assignment]
        for _ in range(10):
            client.transport.write(b"x" * 100)
            await asyncio.sleep(6)
        assert len(reads) > 12
        assert sum(map(len, reads)) == 1000

    run(main, weather=ROUGH)


def test_buffered_protocol() -> None:
    async def main(network: SimNetwork) -> None:
        server = Room()
        await network.loop.create_server(lambda: server, "127.0.0.1", PORT)
        transport, _ = await network.loop.create_connection(Peer, "127.0.0.1", PORT)
        transport.write(bytes(range(100)))
        await asyncio.sleep(1)
        assert server.data == bytes(range(100))

    run(main)


def test_asyncio_streams_run_on_it() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        writer.write(line.upper())
        await writer.drain()
        writer.close()

    async def main(network: SimNetwork) -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", PORT)
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.write(b"hello\n")
        assert await reader.read() == b"HELLO\n"
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    run(main, weather=ROUGH)


def test_reader_that_pauses_stops_the_writer() -> None:
    async def main(network: SimNetwork) -> None:
        client, server = await pair(network)
        server.transport.pause_reading()
        client.transport.set_write_buffer_limits(high=1000, low=100)
        client.transport.write(b"x" * (WINDOW_BYTES + 1000))
        assert client.events == ["made"]
        client.transport.write(b"y")
        assert client.events == ["made", "pause"]
        await asyncio.sleep(10)
        assert server.data == b""
        assert client.transport.get_write_buffer_size() == 1001
        server.transport.resume_reading()
        await asyncio.sleep(10)
        assert client.events == ["made", "pause", "resume"]
        assert len(server.data) == WINDOW_BYTES + 1001

    run(main)


def test_close_sends_what_was_written_first() -> None:
    async def main(network: SimNetwork) -> None:
        client, server = await pair(network)
        client.transport.write(b"x" * 3 * WINDOW_BYTES)
        client.transport.close()
        assert client.transport.is_closing()
        assert await client.lost is None
        assert await server.lost is None
        assert len(server.data) == 3 * WINDOW_BYTES
        assert server.events == ["made", "eof", "lost"]
        assert network.transports == []

    run(main)


def test_abort_resets_the_other_side() -> None:
    async def main(network: SimNetwork) -> None:
        client, server = await pair(network)
        client.transport.write(b"x" * 3 * WINDOW_BYTES)
        client.transport.abort()
        assert await client.lost is None
        assert isinstance(await server.lost, ConnectionResetError)
        assert len(server.data) <= WINDOW_BYTES

    run(main)


def test_write_to_a_closed_side_is_answered_by_a_reset() -> None:
    async def main(network: SimNetwork) -> None:
        client, server = await pair(network)
        client.transport.pause_reading()
        server.transport.close()
        client.transport.write(b"crossed on the way")
        assert isinstance(await client.lost, ConnectionResetError)

    run(main, weather=Weather(latency_s=1.0))


def test_cut_tells_each_side_at_its_own_time() -> None:
    async def main(network: SimNetwork) -> None:
        client, server = await pair(network)
        network.cut(client.transport, 1.0, 5.0)
        client.transport.write(b"lost")
        assert isinstance(await client.lost, ConnectionAbortedError)
        assert not server.lost.done()
        await asyncio.sleep(4.5)
        assert isinstance(await server.lost, ConnectionAbortedError)
        assert server.data == b""

    run(main)


def test_half_open_side_is_told_nothing() -> None:
    async def main(network: SimNetwork) -> None:
        client, server = await pair(network)
        network.cut(client.transport, 1.0, float("inf"))
        await asyncio.sleep(100_000)
        assert client.lost.done()
        assert not server.lost.done()

    run(main)


def test_data_is_held_back() -> None:
    async def main(network: SimNetwork) -> None:
        client, server = await pair(network)
        client.transport.outgoing.hold(100)
        client.transport.write(b"late")
        client.transport.abort()
        server.transport.write(b"not late")
        await asyncio.sleep(50)
        assert server.data == b""
        assert not server.lost.done()
        await asyncio.sleep(60)
        assert server.data == b"late"
        assert isinstance(await server.lost, ConnectionResetError)

    run(main)


def test_connect_without_a_listener_is_refused() -> None:
    async def main(network: SimNetwork) -> None:
        with pytest.raises(ConnectionRefusedError):
            await network.loop.create_connection(Peer, "127.0.0.1", PORT)
        network.reachable = False
        with pytest.raises(TimeoutError):
            await network.loop.create_connection(Peer, "127.0.0.1", PORT)

    run(main)


def test_free_ports_differ_and_taken_ones_are_refused() -> None:
    async def main(network: SimNetwork) -> None:
        servers = [await network.loop.create_server(Peer, "127.0.0.1", 0) for _ in range(2)]
        ports = [server.sockets[0].getsockname()[1] for server in servers]
        assert ports[0] != ports[1]
        with pytest.raises(OSError, match="bind"):
            await network.loop.create_server(Peer, "127.0.0.1", ports[0])
        servers[0].close()
        await network.loop.create_server(Peer, "127.0.0.1", ports[0])

    run(main)


async def _served_by(process: Process, network: SimNetwork) -> tuple[Peer, Peer]:
    server = Peer()
    loop = network.loop

    async def serve() -> None:
        await loop.create_server(lambda: server, "127.0.0.1", PORT)

    await loop.create_task(serve(), context=process.context)
    _, client = await loop.create_connection(Peer, "127.0.0.1", PORT)
    assert isinstance(client, Peer)
    await asyncio.sleep(1)
    assert server.transport.process is process
    return client, server


def test_kernel_closes_the_connections_of_a_dead_process() -> None:
    async def main(network: SimNetwork) -> None:
        process = Process("broker")
        process.at_exit(lambda: network.process_died(process))
        client, server = await _served_by(process, network)
        server.transport.write(b"last words")
        process.exit("killed")
        server.transport.write(b"from the grave")
        await client.lost
        assert client.data == b"last words"
        assert server.events == ["made"]
        with pytest.raises(ConnectionRefusedError):
            await network.loop.create_connection(Peer, "127.0.0.1", PORT)

    run(main)


def test_power_failure_says_nothing() -> None:
    async def main(network: SimNetwork) -> None:
        process = Process("broker")
        client, _ = await _served_by(process, network)
        assert network.power_failed(process) == [client.transport]
        process.exit("no power")
        client.transport.write(b"anybody there?")
        await asyncio.sleep(1000)
        assert client.events == ["made"]

    run(main)


def test_exception_in_a_protocol_ends_the_run() -> None:
    async def main(network: SimNetwork) -> None:
        client, server = await pair(network)
        server.data_received = lambda data: 1 // 0  # type: ignore[method-assign,assignment]
        client.transport.write(b"x")
        await asyncio.sleep(1)

    with pytest.raises(SimulationError, match="ZeroDivisionError"):
        run(main)
