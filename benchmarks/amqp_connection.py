"""A small AMQP 0-9-1 client, faster than the libraries: see "Clients" in README.md.

The frames that repeat for every message are marshalled once; `pamqp` builds and reads the rest.
One connection, one channel, the default exchange.
"""

import asyncio
from collections.abc import Callable, Sequence
from struct import Struct
from typing import cast

from pamqp import base, commands, frame, header, heartbeat

from benchmarks.amqp_inbox import BODY, FRAME_HEADER, FRAME_OVERHEAD, Confirms, Inbox
from benchmarks.errors import BenchmarkError

CHANNEL = 1
FRAME_BYTES_MAX = 131_072
JOINED_BYTES_MAX = 16_384
"""Above this, copying a message costs more than a longer list of buffers."""
FRAME_END = b"\xce"
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
CREDENTIALS = "\0guest\0guest"
ACK = frame.marshal(commands.Basic.Ack(0), CHANNEL)
NACK = frame.marshal(commands.Basic.Nack(0, requeue=True), CHANNEL)
TAG = Struct(">Q")
TAG_POSITION = FRAME_HEADER.size + 4


class AmqpConnection(asyncio.Protocol):
    """One connection; make it with `connect`."""

    def __init__(self, on_delivery: Callable[[int, bytes], None]) -> None:
        self._inbox = Inbox(on_delivery, self._on_confirm, self._on_method)
        self._methods: asyncio.Queue[frame.FrameTypes] = asyncio.Queue()
        self._confirms = Confirms()
        self._confirmed = asyncio.Event()
        self._error: Exception | None = None
        self._transport: asyncio.Transport
        self._published = 0
        self._queue = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._inbox.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or BenchmarkError("RabbitMQ closed the connection"))

    async def open(self) -> None:
        """Shake hands as guest and open the channel."""
        self._transport.write(PROTOCOL_HEADER)
        await self._expect(commands.Connection.Start)
        self._write(commands.Connection.StartOk({}, "PLAIN", CREDENTIALS, "en_US"), channel=0)
        await self._expect(commands.Connection.Tune)
        self._write(commands.Connection.TuneOk(CHANNEL, FRAME_BYTES_MAX, 0), channel=0)
        self._write(commands.Connection.Open("/"), channel=0)
        await self._expect(commands.Connection.OpenOk)
        self._write(commands.Channel.Open())
        await self._expect(commands.Channel.OpenOk)

    async def declare(self, queue: str, version: int) -> None:
        """Declare a durable classic queue; the messages go there."""
        self._queue = queue
        arguments = {"x-queue-version": version, "x-queue-type": "classic"}
        self._write(commands.Queue.Declare(queue=queue, durable=True, arguments=arguments))
        await self._expect(commands.Queue.DeclareOk)

    async def select_confirms(self) -> None:
        """Ask for publisher confirms."""
        self._write(commands.Confirm.Select())
        await self._expect(commands.Confirm.SelectOk)

    async def consume(self, prefetch: int) -> None:
        """Start consuming, with acknowledgements."""
        self._write(commands.Basic.Qos(prefetch_count=prefetch))
        await self._expect(commands.Basic.QosOk)
        self._write(commands.Basic.Consume(queue=self._queue, consumer_tag="c"))
        await self._expect(commands.Basic.ConsumeOk)

    def publisher(self, size_bytes: int) -> Callable[[Sequence[bytes]], None]:
        """Return the function that publishes persistent messages of one size, in one write."""
        if size_bytes > FRAME_BYTES_MAX - FRAME_OVERHEAD:
            raise BenchmarkError(f"{size_bytes} bytes do not fit into one AMQP frame")
        publish = frame.marshal(commands.Basic.Publish(routing_key=self._queue), CHANNEL)
        properties = commands.Basic.Properties(delivery_mode=2)
        content = header.ContentHeader(body_size=size_bytes, properties=properties)
        before = publish + frame.marshal(content, CHANNEL)
        before += FRAME_HEADER.pack(BODY, CHANNEL, size_bytes)

        def publish_all(values: Sequence[bytes]) -> None:
            if size_bytes > JOINED_BYTES_MAX:
                for value in values:
                    self._transport.writelines((before, value, FRAME_END))
            else:
                # One join for all messages: each value between the same two pieces.
                body = (FRAME_END + before).join(values)
                self._transport.write(b"".join((before, body, FRAME_END)))
            self._published += len(values)

        return publish_all

    async def wait_unconfirmed(self, most: int) -> None:
        """Wait until at most so many published messages are not confirmed yet."""
        await asyncio.sleep(0)  # Lets the transport write and the confirms in.
        while not self._error and self._published - self._confirms.floor > most:
            self._confirmed.clear()
            await self._confirmed.wait()
        if self._error:
            raise self._error

    def ack_up_to(self, tag: int) -> None:
        """Acknowledge every delivery up to this one."""
        self._write(commands.Basic.Ack(tag, multiple=True))

    @property
    def redelivered(self) -> bool:
        """Whether the delivery that is called back for came before."""
        return self._inbox.redelivered

    def ack(self, tag: int) -> None:
        """Acknowledge one delivery."""
        self._transport.write(_with_tag(ACK, tag))

    def requeue(self, tag: int) -> None:
        """Give one delivery back for another try."""
        self._transport.write(_with_tag(NACK, tag))

    async def close(self) -> None:
        """Close after everything written has been taken by the broker."""
        self._write(commands.Connection.Close(200, "", 0, 0), channel=0)
        await self._expect(commands.Connection.CloseOk)
        self._transport.close()

    def _write(self, method: base.Frame, channel: int = CHANNEL) -> None:
        self._transport.write(frame.marshal(method, channel))

    async def _expect(self, kind: type[base.Frame]) -> None:
        method = await self._methods.get()
        if not isinstance(method, kind):
            raise self._error or BenchmarkError(f"RabbitMQ answered {method!r}, not {kind.name}")

    def _on_confirm(self, tag: int, multiple: bool) -> None:
        self._confirms.add(tag, multiple)
        self._confirmed.set()

    def _on_method(self, data: bytes) -> None:
        method = frame.unmarshal(data)[2]
        self._methods.put_nowait(method)
        if isinstance(method, commands.Basic.Nack | commands.Channel.Close):
            self._fail(BenchmarkError(f"RabbitMQ sent {method!r}"))

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._confirmed.set()
        self._methods.put_nowait(heartbeat.Heartbeat())


def _with_tag(method: bytes, tag: int) -> bytes:
    return method[:TAG_POSITION] + TAG.pack(tag) + method[TAG_POSITION + TAG.size :]


async def connect(
    host: str, port: int, on_delivery: Callable[[int, bytes], None]
) -> AmqpConnection:
    """Connect and open a channel."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: AmqpConnection(on_delivery), host, port)
    await connection.open()
    return connection
