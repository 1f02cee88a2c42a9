"""The fake broker: its life, and how it misbehaves."""

import asyncio
from collections import defaultdict, deque
from enum import Enum
from typing import Any, Self

from tapemq.wire import messages as m
from tests.support.fake_broker.answers import Answers
from tests.support.fake_broker.session import FakeSession


class Reaction(Enum):
    """What becomes of a message instead of being handled and answered."""

    HANDLE = "handled and answered, as usual"
    IGNORE = "neither handled nor answered"
    CUT = "the connection breaks before it is handled"
    LOSE = "handled, but the connection breaks before the answer"
    HOLD = "handled, but answered only when release() is called"


class FakeBroker(Answers):
    """``async with FakeBroker() as broker`` listens on a free port of the loopback interface."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Any] = []
        self.sessions: list[FakeSession] = []
        self.port = 0
        self._reactions: dict[type, deque[Reaction | m.Failure]] = defaultdict(deque)
        self._held: list[tuple[FakeSession, Any, int]] = []
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None

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
        loop = asyncio.get_running_loop()
        for listener in self._server.sockets:
            loop.remove_reader(listener.fileno())
        for _ in range(3):
            # asyncio leaks what it is accepting while the server closes: let it become a session.
            await asyncio.sleep(0)
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
        """Give the answers that were held, and hold no more."""
        for reactions in self._reactions.values():
            while Reaction.HOLD in reactions:
                reactions.remove(Reaction.HOLD)
        held, self._held = self._held, []
        for session, answer, correlation in held:
            session.answer(answer, correlation)

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
            answer = self.answer(session, message, payload)
            if reaction is Reaction.LOSE:
                session.cut()
            elif reaction is Reaction.HOLD:
                self._held.append((session, answer, correlation))
            elif answer is not None:
                session.answer(answer, correlation)
            self._after(session, message)

    def _after(self, session: FakeSession, message: Any) -> None:
        if isinstance(message, m.Subscribe) and message.subscription in session.subscriptions:
            for partition, offset in session.subscriptions[message.subscription].next.items():
                self.assign(session, message.subscription, partition, offset)
        for other in self.sessions:
            if other.is_open:
                other.deliver()
        self.queues.deliver()
