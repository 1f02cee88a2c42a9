"""One connection to a broker: the exchange on an asyncio transport."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from tapemq.errors import ConnectionLost, Error
from tapemq.network.exchange import WRITE_BUFFER_BYTES, Exchange
from tapemq.wire import messages as m
from tapemq.wire.parts import write_parts


class Connection(Exchange, asyncio.BufferedProtocol):
    """An exchange that reads, writes and keeps time with the running event loop.

    ``opened`` resolves when the handshake is complete; ``lost`` (to the reason) when it is over.
    """

    def __init__(self, hello: m.Hello) -> None:
        self._loop = asyncio.get_running_loop()
        super().__init__(hello, self._loop.time())
        self._transport: asyncio.Transport | None = None
        self._beat_due = 0.0
        self._beat_handle: asyncio.TimerHandle | None = None
        self.opened: asyncio.Future[m.Welcome] = self._loop.create_future()
        self.lost: asyncio.Future[Error] = self._loop.create_future()

    def _now(self) -> float:
        return self._loop.time()

    # Sending

    async def request(self, message: m.Message, payload: bytes = b"") -> Any:
        """Send a request and wait for the answer. Raises Error, as send()."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def answer(result: Any) -> None:
            if future.done():  # the caller has given up
                return
            if isinstance(result, Error):
                future.set_exception(result)
            else:
                future.set_result(result)

        self.send(message, answer, payload)
        return await future

    def _transmit(self, parts: Sequence[bytes]) -> None:
        if self._transport is None:
            raise ConnectionLost("the connection is closed")
        if self._transport.is_closing():
            # connection_lost() is about to tell all requests, this one too. From Python 3.12 on,
            # writelines() of a transport that closes fails, and the request would wait for ever.
            return
        if len(parts) == 1:
            self._transport.write(parts[0])
        else:
            write_parts(self._transport, parts)

    # Receiving

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._session.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self.received(nbytes)

    def _opened(self, welcome: m.Welcome) -> None:
        self._schedule_beat()
        if not self.opened.done():
            self.opened.set_result(welcome)

    # The connection's life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Both limits, because uvloop's default for the lower one is all but zero.
        self._transport.set_write_buffer_limits(WRITE_BUFFER_BYTES, WRITE_BUFFER_BYTES // 4)
        self.greet()
        self._schedule_beat()

    def _schedule_beat(self) -> None:
        if self._beat_handle is not None:
            self._beat_handle.cancel()
        self._beat_due = self._loop.time() + self.beat_s
        self._beat_handle = self._loop.call_at(self._beat_due, self._beat)

    def _beat(self) -> None:
        self.beat(self._loop.time() - self._beat_due)
        self._schedule_beat()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._session.close()
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Say goodbye and close."""
        if self._transport is not None and not self._transport.is_closing():
            if self.is_open:
                self.push(m.Bye())
            self._session.close()
            self._transport.close()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._beat_handle is not None:
            self._beat_handle.cancel()
        reason = self._over(error)
        if not self.opened.done():
            self.opened.set_exception(reason)
            self.opened.exception()  # seen: nobody may be waiting any more
        self.lost.set_result(reason)
        self._tell_the_open_requests(reason)
