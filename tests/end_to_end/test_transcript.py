"""The session in protocol.md, played against the real broker."""

import asyncio
from typing import Any

from tapemq.batch import iter_batches
from tapemq.wire.limits import FRAME_BYTES_MAX
from tapemq.wire.session import Role, Session
from tests.support import document
from tests.support.golden import read_golden
from tests.support.running_server import running_server
from tests.support.wire_codec import encoded, received
from tests.support.wire_examples import Example

BODY = read_golden("batch")["body"]
GIVEN = ("topic_id", "generation", "broker_id", "boot_epoch", "session", "producer_id")
"""Fields that the broker chooses, and that what the client sends then has to repeat."""

BY_CHANCE = ("append_time_us", "text")


class Player:
    """Sends the client's lines, and compares what comes with the broker's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._session = Session(Role.CLIENT, 0.0)
        self._waiting: list[Example] = []
        self._given: dict[str, Any] = {}

    def send(self, example: Example) -> None:
        fields = {name: self._given[name] for name in example.message._fields if self._known(name)}
        payload = BODY if example.payload else b""
        message = example.message._replace(**fields)
        self._writer.write(encoded(example._replace(message=message, payload=payload)))

    def _known(self, name: str) -> bool:
        return name in GIVEN and name in self._given

    async def expect(self, example: Example) -> None:
        found = await self._next(example.correlation)
        fields = found.message._asdict()
        self._given |= {name: fields[name] for name in GIVEN if name in fields}
        same = {name: fields[name] for name in (*GIVEN, *BY_CHANCE) if name in fields}
        assert found.message == example.message._replace(**same)
        assert bool(found.payload) == bool(example.payload)
        if found.payload:
            assert [bytes(body) for _, body in iter_batches(found.payload)] == [BODY]

    async def _next(self, correlation: int) -> Example:
        """The next message with the correlation; a push may come before an answer."""
        while not any(waiting.correlation == correlation for waiting in self._waiting):
            data = await self._reader.read(65_536)
            assert data, "the broker closed the connection"
            self._waiting += received(self._session, data)
            if self._session.reader.frame_bytes_max < FRAME_BYTES_MAX:
                self._session.open(frame_bytes_max=FRAME_BYTES_MAX)
        found = next(waiting for waiting in self._waiting if waiting.correlation == correlation)
        self._waiting.remove(found)
        return found

    async def at_end(self) -> list[Example]:
        """What the transcript does not have, when the broker has closed."""
        return self._waiting + received(self._session, await self._reader.read())


async def test_transcript_is_what_happens() -> None:
    async with running_server() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        player = Player(reader, writer)
        for from_client, example in document.transcript():
            if from_client:
                player.send(example)
            else:
                await player.expect(example)
        assert await player.at_end() == []
        writer.close()
        await writer.wait_closed()
