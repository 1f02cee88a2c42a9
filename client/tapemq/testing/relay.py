"""Stands between clients and the broker, and loses what a test wants lost."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Final

from tapemq.wire.frames import Frame, FrameReader, encode_prefix
from tapemq.wire.limits import FRAME_BYTES_MAX
from tapemq.wire.messages import OPCODE_OF

HOST: Final = "127.0.0.1"
_READ_BYTES: Final = 256 * 1024


class Relay:
    """Its port stays the same while the broker behind it, at ``upstream_port``, comes and goes."""

    def __init__(self) -> None:
        self.port = 0
        self.upstream_port: int | None = None
        self._server: asyncio.Server | None = None
        self._losses: Counter[int] = Counter()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accepted, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Take no more connections, and cut those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self) -> None:
        """Break all connections."""
        for writer in self._writers:
            writer.transport.abort()

    def lose(self, kind: type) -> None:
        """The next message of this kind is lost, and its connection with it."""
        self._losses[OPCODE_OF[kind]] += 1

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            if self.upstream_port is None:
                raise ConnectionRefusedError
            far_reader, far_writer = await asyncio.open_connection(HOST, self.upstream_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        there = asyncio.create_task(self._carry(reader, far_writer))
        back = asyncio.create_task(self._carry(far_reader, writer))
        await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, far_writer):
            end.close()  # sends what it has
        await asyncio.wait([there, back])
        for end in (writer, far_writer):
            with suppress(OSError):
                await end.wait_closed()
        self._writers -= {writer, far_writer}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, frame by frame, to its end."""
        frames = FrameReader(FRAME_BYTES_MAX)
        with suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                frames.feed(data)
                while (frame := frames.next_frame()) is not None:
                    if self._losses[frame.opcode]:
                        self._losses[frame.opcode] -= 1
                        writer.transport.abort()
                        return
                    writer.write(_encoded(frame))
                await writer.drain()


def _encoded(frame: Frame) -> bytes:
    header, payload = bytes(frame.header), bytes(frame.payload)
    return encode_prefix(frame.opcode, header, len(payload), frame.correlation) + header + payload
