"""A client without comforts: sends messages as they are, and hands out what comes back."""

import asyncio
from typing import Any, ClassVar, Self, TypeVar

from tapemq.batch import Columns, checksum, encode_body
from tapemq.wire import messages as m
from tapemq.wire.errors import ERRORS
from tapemq.wire.session import Role, Session

Answer = TypeVar("Answer")
_READ_BYTES = 1 << 20


class Refused(Exception):
    """The broker answered with a Failure; ``name`` is its error's name."""

    def __init__(self, failure: m.Failure) -> None:
        super().__init__(failure.text)
        self.name = ERRORS[failure.code].name
        self.failure = failure


class RawClient:
    """Requests with answers of the type that is expected; pushes in the order of coming."""

    opened: ClassVar[list["RawClient"]] = []
    """All that were made; whoever runs their server closes them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened.append(self)
        self._reader = reader
        self._writer = writer
        self._session = Session(Role.CLIENT, 0.0)
        self._answers: dict[int, m.Message] = {}
        self._pushes: list[tuple[m.Message, bytes]] = []
        self._payloads: dict[int, bytes] = {}
        self.payload = b""
        """Of the last answer that was asked for."""
        self.welcome: m.Welcome

    @classmethod
    async def connect(cls, port: int) -> Self:
        """Connect and complete the handshake."""
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        client.welcome = await client.ask(m.Hello([1], "raw"), m.Welcome)
        return client

    def send(
        self, message: m.Message, payload: bytes = b"", *, correlation: int | None = None
    ) -> int:
        """Send a message; its correlation id, the next one unless another is given."""
        if correlation is None:
            correlation = self._session.next_correlation()
        head = self._session.frame_head(
            message, 0.0, correlation=correlation, payload_bytes=len(payload)
        )
        self._writer.write(head + payload)
        return correlation

    def send_part(self, message: m.Message, payload: bytes, size_bytes: int) -> None:
        """Send a message whose payload breaks off after ``size_bytes``."""
        head = self._session.frame_head(message, 0.0, correlation=1, payload_bytes=len(payload))
        self._writer.write(head + payload[:size_bytes])

    async def ask(self, message: m.Message, expected: type[Answer], payload: bytes = b"") -> Answer:
        """Send a request and wait for its answer. Raises Refused for a Failure."""
        return await self.answer(self.send(message, payload), expected)

    async def answer(self, correlation: int, expected: type[Answer]) -> Answer:
        """Wait for the answer to a request that was sent."""
        while correlation not in self._answers:
            await self._receive()
        answer = self._answers.pop(correlation)
        self.payload = self._payloads.pop(correlation, b"")
        if isinstance(answer, m.Failure):
            raise Refused(answer)
        assert isinstance(answer, expected), answer
        return answer

    async def push(self, expected: type[Answer]) -> tuple[Answer, bytes]:
        """The next push, which must be of this type, and its payload."""
        while not self._pushes:
            await self._receive()
        message, payload = self._pushes.pop(0)
        assert isinstance(message, expected), message
        return message, payload

    async def push_of(self, expected: type[Answer]) -> tuple[Answer, bytes]:
        """The next push of this type; others before it are passed over."""
        while True:
            while not self._pushes:
                await self._receive()
            message, payload = self._pushes.pop(0)
            if isinstance(message, expected):
                return message, payload

    async def _receive(self) -> None:
        data = await self._reader.read(_READ_BYTES)
        if not data:
            raise EOFError("the broker closed the connection")
        self._session.reader.feed(data)
        for message, correlation, payload in self._session.events():
            if isinstance(message, m.Welcome):
                self._session.open(frame_bytes_max=1 << 26)
            if correlation:
                self._answers[correlation] = message
                if payload:
                    self._payloads[correlation] = bytes(payload)
            else:
                self._pushes.append((message, bytes(payload)))

    async def topic(self, name: str, **fields: Any) -> m.Topic:
        """Create a topic."""
        return await self.ask(m.CreateTopic(name, **fields), m.Topic)

    async def publish(
        self, topic: m.Topic, *values: bytes, partition: int = 0, **fields: Any
    ) -> m.Receipt:
        """Publish one batch; ``fields`` are encode_body()'s."""
        level = fields.pop("level", 0)
        body = encode_body(Columns(values), **fields)
        publish = m.Publish(topic.topic_id, partition, checksum(body), level)
        return await self.ask(publish, m.Receipt, body)

    def send_publish(self, topic: m.Topic, value: bytes) -> int:
        """Send a publish without waiting; its correlation id."""
        body = encode_body(Columns([value]))
        return self.send(m.Publish(topic.topic_id, 0, checksum(body)), body)

    async def publish_late(self, topic: m.Topic, value: bytes, *, deadline_ms: int) -> m.Failure:
        """Publish with a deadline that passes; the failure that comes."""
        body = encode_body(Columns([value]))
        publish = m.Publish(topic.topic_id, 0, checksum(body), deadline_ms=deadline_ms)
        try:
            receipt = await self.ask(publish, m.Receipt, body)
        except Refused as refused:
            return refused.failure
        raise AssertionError(f"there was time: {receipt}")

    async def open_producer(self) -> int:
        """A new producer id."""
        return (await self.ask(m.OpenProducer(), m.Producer)).producer_id

    async def subscribe(self, topic: m.Topic, **fields: Any) -> None:
        """Subscribe with ample credit unless ``fields`` say otherwise."""
        wish: dict[str, Any] = {"subscription": 1, "start": "earliest", "credit_records": 1000}
        wish |= {"credit_bytes": 1 << 20} | fields
        await self.ask(m.Subscribe(topic_id=topic.topic_id, **wish), m.Done)

    async def at_end(self) -> bool:
        """Wait until the broker has closed the connection."""
        try:
            while True:
                await self._receive()
        except (EOFError, ConnectionError):
            return True

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    @classmethod
    def close_all(cls) -> None:
        """Hang up all that were made."""
        while cls.opened:
            cls.opened.pop().close()
