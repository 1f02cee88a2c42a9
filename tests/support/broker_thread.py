"""The fake broker on an event loop and thread of its own: the test's loop may block."""

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker


class SideBroker(FakeBroker):
    """Notes what is said on connections that speak for another session."""

    def __init__(self) -> None:
        super().__init__()
        self.refuse_sides = 0
        self.side_pings = threading.Semaphore(0)
        self.side_ends = threading.Semaphore(0)
        self._sides: set[Any] = set()

    def _on_hello(self, session: Any, message: m.Hello, _: bytes) -> Any:
        if not message.resume:
            return super()._on_hello(session, message, _)
        if self.refuse_sides:
            self.refuse_sides -= 1
            session.cut()
            self.side_ends.release()
            return None
        assert message.resume == self.welcome.session
        self._sides.add(session)
        return super()._on_hello(session, message, _)

    def _on_ping(self, session: Any, *_: Any) -> Any:
        if session in self._sides:
            self.side_pings.release()
            return m.Pong()
        return super()._on_ping(session, *_)

    def _on_bye(self, session: Any, *_: Any) -> None:
        if session in self._sides:
            self.side_ends.release()


class BrokerThread:
    """``with BrokerThread() as thread``; what concerns ``thread.broker`` runs by ``call``."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.broker: SideBroker = self.call(self._begin())
        return self

    async def _begin(self) -> SideBroker:
        broker = SideBroker()
        await broker.listen()
        return broker

    def call(self, work: Any) -> Any:
        """Run a coroutine there, and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.call(self.broker.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(30)
        self.loop.close()
