"""The SDK without asyncio against the fake broker, which runs in a thread of its own."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, Self, TypeVar

from tapemq import sync
from tapemq.network.url import Address, Target
from tapemq.sync.connecting import connect_with
from tapemq.sync.dial import dial
from tapemq.sync.link import Link
from tapemq.sync.shared import Shared
from tests.support.fake_broker import FakeBroker
from tests.support.sdk import HELLO, QuickClock

T = TypeVar("T")

LONG_S = 30.0
"""Longer than anything here takes: who waits so long has found a fault."""

LOOK_S = 0.001
"""Between two looks at what another thread does. Who looks without a pause takes the locks that it
looks under again before anybody else has woken up: the other stands still on a busy machine."""


class BrokerThread:
    """``with BrokerThread() as thread``: a loop in a thread, and in it ``thread.broker``."""

    def __init__(self) -> None:
        self.broker = FakeBroker()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="fake-broker", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self.broker.listen())
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.run(self._close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _close(self) -> None:
        await self.broker.close()
        await asyncio.gather(
            *(one.lost for one in self.broker.sessions if one._transport is not None)
        )

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the broker's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(LONG_S)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call something in the broker's loop."""

        async def work() -> T:
            return function(*args)

        return self.run(work())

    def react(self, kind: type, *reactions: Any) -> None:
        self.call(self.broker.react, kind, *reactions)

    def release(self) -> None:
        self.call(self.broker.release)

    def received(self, kind: type, count: int = 1) -> list[Any]:
        return self.run(self.broker.received(kind, count))

    def cut(self) -> None:
        self.run(self.broker.cut())

    def push(self, message: Any) -> None:
        """Send something to the newest connection."""
        self.call(lambda: self.broker.session.send(message))

    def connect(self, **options: Any) -> sync.Client:
        """A client that does not wait between attempts."""
        return connect_with(self.broker.url, clock=QuickClock(), dial=dial, **options)

    def link(self) -> tuple[Link, Shared]:
        """A link that is open."""
        shared = Shared(QuickClock())
        target = Target((Address("127.0.0.1", self.broker.port),), False)
        link = Link(target, HELLO, shared, dial)
        link.open(LONG_S)
        return link, shared

    def stored(self, partition: int = 0, topic: str = "t") -> list[bytes | None]:
        return self.call(lambda: self.broker.topics[topic].partitions[partition].values)


def in_thread(function: Callable[..., T], *args: Any, **options: Any) -> "Future[T]":
    """Call it in a thread of its own."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(function(*args, **options))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


def outcome(future: "Future[T]") -> T:
    """What came of it. Raises what it raised."""
    with suppress(TimeoutError):
        future.exception(LONG_S)
    return future.result(0)


@contextmanager
def interrupted_when(is_so: Callable[[], bool]) -> Iterator[None]:
    """SIGINT comes to the main thread, which runs the block, as soon as something is so in it."""
    left = threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        while not left.wait(LOOK_S):
            if is_so():
                signal.pthread_kill(main, signal.SIGINT)
                return

    interrupting = in_thread(interrupt)
    try:
        yield
    finally:
        left.set()
        outcome(interrupting)
