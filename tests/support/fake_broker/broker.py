"""The fake broker: what it answers, and how it misbehaves."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from enum import Enum
from typing import Any, Self

from tapemq.wire import errors
from tapemq.wire import messages as m
from tests.support.fake_broker.session import FakeSession, FakeSubscription
from tests.support.fake_broker.topic import FakePartition, FakeTopic, Refused


class Reaction(Enum):
    """What becomes of a message instead of being handled and answered."""

    HANDLE = "handled and answered, as usual"
    IGNORE = "neither handled nor answered"
    CUT = "the connection breaks before it is handled"
    LOSE = "handled, but the connection breaks before the answer"
    HOLD = "handled, but answered only when release() is called"


class FakeBroker:
    """``async with FakeBroker() as broker`` listens on a free port of the loopback interface."""

    def __init__(self) -> None:
        self.topics: dict[str, FakeTopic] = {}
        self.requests: list[Any] = []
        self.sessions: list[FakeSession] = []
        self.welcome = m.Welcome(
            version=1,
            broker_id=b"fake",
            boot_epoch=1,
            session=b"token",
            publish_window_bytes=4 * 1024 * 1024,
            frame_bytes_max=32 * 1024 * 1024,
            batch_bytes_max=4 * 1024 * 1024,
            record_bytes_max=1024 * 1024,
            heartbeat_ms=15_000,
        )
        self.may_create = True
        self.refuses_connections = False
        self.port = 0
        self._reactions: dict[type, deque[Reaction | m.Failure]] = defaultdict(deque)
        self._held: list[tuple[FakeSession, Any, int]] = []
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._ids = 0

    @property
    def url(self) -> str:
        return f"tapemq://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()

    def _accept(self) -> FakeSession:
        session = FakeSession(self._handle)
        self.sessions.append(session)
        return session

    # What tests say

    def react(self, kind: type, *reactions: Reaction | m.Failure) -> None:
        """The next messages of this kind meet these reactions, one each."""
        self._reactions[kind].extend(reactions)

    def release(self) -> None:
        """Give the answers that were held."""
        held, self._held = self._held, []
        for session, answer, correlation in held:
            session.send(answer, correlation)

    async def cut(self) -> None:
        """Break all connections."""
        for session in self.sessions:
            session.cut()
        await asyncio.gather(*(session.lost for session in self.sessions if session.is_open))

    def flow(self, window_bytes: int, reason: str = "") -> None:
        for session in self.sessions:
            session.send(m.Flow(window_bytes, reason))

    async def received(self, kind: type, count: int = 1) -> list[Any]:
        """Wait until so many messages of a kind have come in, since the start."""
        while len(self.of(kind)) < count:
            self._changed.clear()
            await self._changed.wait()
        return self.of(kind)

    def of(self, kind: type) -> list[Any]:
        return [request for request in self.requests if type(request) is kind]

    def create(self, name: str, partitions: int = 1) -> FakeTopic:
        self._ids += 1
        topic = self.topics[name] = FakeTopic(name, self._ids, partitions)
        return topic

    @property
    def session(self) -> FakeSession:
        """The newest connection."""
        return self.sessions[-1]

    # What clients say

    def _handle(self, session: FakeSession, message: Any, correlation: int, payload: bytes) -> None:
        reactions = self._reactions[type(message)]
        reaction = reactions.popleft() if reactions else Reaction.HANDLE
        self.requests.append(message)
        self._changed.set()
        if isinstance(reaction, m.Failure):
            session.send(reaction, correlation)
        elif reaction is Reaction.CUT:
            session.cut()
        elif reaction is not Reaction.IGNORE:
            answer = self._answer(session, message, payload)
            if reaction is Reaction.LOSE:
                session.cut()
            elif reaction is Reaction.HOLD:
                self._held.append((session, answer, correlation))
            elif answer is not None:
                session.send(answer, correlation)
            self._after(session, message)

    def _answer(self, session: FakeSession, message: Any, payload: bytes) -> Any:
        handler: Callable[[FakeSession, Any, bytes], Any] | None = getattr(
            self, f"_on_{type(message).__name__.lower()}", None
        )
        try:
            return handler(session, message, payload) if handler else m.Done()
        except Refused as refused:
            return refused.failure

    def _after(self, session: FakeSession, message: Any) -> None:
        if isinstance(message, m.Subscribe):
            for partition, offset in session.subscriptions[message.subscription].next.items():
                self.assign(session, message.subscription, partition, offset)
        for other in self.sessions:
            if other.is_open:
                other.deliver()

    def assign(self, session: FakeSession, number: int, partition: int, offset: int) -> None:
        """Push Assigned, with the group's seek epoch."""
        subscription = session.subscriptions[number]
        group = subscription.topic.partitions[partition].groups.get(subscription.request.group)
        seek_epoch = group.seek_epoch if group else 0
        subscription.next[partition] = offset
        generation = subscription.generation[partition]
        session.send(m.Assigned(number, partition, generation, offset, seek_epoch))

    def _on_hello(self, session: FakeSession, message: m.Hello, _: bytes) -> None:
        session.open(self.welcome)

    def _on_ping(self, session: FakeSession, *_: Any) -> None:
        session.send(m.Pong())

    def _on_pong(self, *_: Any) -> None: ...

    def _on_bye(self, *_: Any) -> None: ...

    def _on_describetopic(self, _: Any, message: m.DescribeTopic, __: bytes) -> m.Topic:
        if message.topic not in self.topics:
            if not (message.create and self.may_create):
                raise Refused(errors.UNKNOWN_TOPIC, f"there is no topic {message.topic}")
            self.create(message.topic)
        return self.topics[message.topic].message()

    def _on_openproducer(self, *_: Any) -> m.Producer:
        self._ids += 1
        return m.Producer(self._ids, 0)

    def partition(self, topic_id: int, partition: int) -> FakePartition:
        for topic in self.topics.values():
            if topic.topic_id == topic_id:
                return topic.partitions[partition]
        raise Refused(errors.STALE_METADATA)

    def _on_publish(self, _: Any, message: m.Publish, payload: bytes) -> m.Receipt:
        receipt = self.partition(message.topic_id, message.partition).publish(payload)
        return receipt._replace(level=message.level)

    def _on_subscribe(self, session: FakeSession, message: m.Subscribe, _: bytes) -> m.Done:
        topic = next(t for t in self.topics.values() if t.topic_id == message.topic_id)
        subscription = FakeSubscription(
            topic, message, message.credit_records, message.credit_bytes, {}, {}
        )
        for number in message.partitions or range(len(topic.partitions)):
            partition = topic.partitions[number]
            if message.group:
                group = partition.group(message.group, message.start, message.start_value)
                group.generation += 1
                subscription.next[number] = group.cursor
                subscription.generation[number] = group.generation
            else:
                offset = partition.start_offset(message.start, message.start_value)
                subscription.next[number] = offset
                subscription.generation[number] = 1
        session.subscriptions[message.subscription] = subscription
        return m.Done()

    def _on_unsubscribe(self, session: FakeSession, message: m.Unsubscribe, _: bytes) -> m.Done:
        session.subscriptions.pop(message.subscription, None)
        return m.Done()

    def _on_credit(self, session: FakeSession, message: m.Credit, _: bytes) -> None:
        subscription = session.subscriptions.get(message.subscription)
        if subscription is not None:
            subscription.records += message.records
            subscription.size_bytes += message.bytes

    def _on_commit(self, _: Any, message: m.Commit, __: bytes) -> m.Done:
        group = self.partition(message.topic_id, message.partition).groups[message.group]
        if message.generation != group.generation:
            raise Refused(errors.FENCED)
        group.cursor = max(group.cursor, message.offset)
        return m.Done()

    def _on_release(self, session: FakeSession, message: m.Release, _: bytes) -> m.Done:
        session.subscriptions[message.subscription].next.pop(message.partition)
        return m.Done()

    def _on_seek(self, session: FakeSession, message: m.Seek, _: bytes) -> m.Done:
        partition = self.partition(message.topic_id, message.partition)
        group = partition.group(message.group, "earliest", 0)
        group.cursor = partition.start_offset(message.start, message.start_value)
        group.seek_epoch += 1
        for number, subscription in session.subscriptions.items():
            if message.partition in subscription.next:
                group.generation += 1
                subscription.generation[message.partition] = group.generation
                self.assign(session, number, message.partition, group.cursor)
        return m.Done()

    def _on_describepartition(self, _: Any, message: m.DescribePartition, __: bytes) -> m.Partition:
        end = self.partition(message.topic_id, message.partition).next_offset
        return m.Partition(0, end, end, end, 0, 0, 0, message.time_us and 1)
