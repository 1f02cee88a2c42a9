"""One connection to a broker: the exchange on a socket that never blocks."""

import socket
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from tapemq.errors import ConnectionLost, Error
from tapemq.network.exchange import WRITE_BUFFER_BYTES, Exchange
from tapemq.sync.shared import Shared, Timer
from tapemq.wire import messages as m

_READS_AT_ONCE: Final = 8
"""Then other threads get the lock."""

_NOT_NOW: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection(Exchange):
    """Any thread sends; only the reader's thread receives and ends it. All under the lock.

    ``is_over``: nothing more comes or goes; the reader's thread has still to call finish().
    ``has_more``: there may be something to read that the socket does not show.
    """

    def __init__(self, connected: socket.socket, hello: m.Hello, shared: Shared) -> None:
        super().__init__(hello, shared.time())
        connected.setblocking(False)
        self._socket = connected
        self._shared = shared
        self._is_plain = not isinstance(connected, ssl.SSLSocket)
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._error: OSError | None = None
        self._is_closing = False
        self._is_finished = False
        self._beat_timer: Timer | None = None
        self.is_over = False
        self.has_more = False

    def fileno(self) -> int:
        """For poll()."""
        return self._socket.fileno()

    def _now(self) -> float:
        return self._shared.time()

    # Sending

    @property
    def wants_write(self) -> bool:
        """Something waits for the socket to have room."""
        return bool(self._unsent)

    def _transmit(self, parts: Sequence[bytes]) -> None:
        if self._is_closing or self._is_finished:
            raise ConnectionLost("the connection is closed")
        if self.is_over:
            return  # finish() is about to tell all requests, this one too
        # One piece: TLS wants the same bytes again when it could not take them.
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if len(self._unsent) == 1:
            self.write()
            if self._unsent:
                self._shared.wake()
        if self._unsent_bytes > WRITE_BUFFER_BYTES:
            self.pause_writing()

    def write(self) -> None:
        """Send what the socket takes now."""
        try:
            while self._unsent:
                data = self._unsent[0]
                sent_bytes = self._socket.send(data)
                self._unsent_bytes -= sent_bytes
                if sent_bytes == len(data):
                    self._unsent.popleft()
                else:
                    self._unsent[0] = memoryview(data)[sent_bytes:]  # type: ignore[assignment]
        except _NOT_NOW:
            pass
        except OSError as error:
            self._broke(error)
        if self._is_closing and not self._unsent:
            self._hang_up()
        if not self._writable and self._unsent_bytes <= WRITE_BUFFER_BYTES // 4:
            self.resume_writing()

    # Receiving

    def read(self) -> None:
        """Take what has arrived, or some of it if that is much."""
        self.has_more = False
        try:
            for _ in range(_READS_AT_ONCE):
                if not self._read_once():
                    self.is_over = True
                if self.is_over:
                    return
            self.has_more = True
        except _NOT_NOW:
            pass
        except OSError as error:
            self._broke(error)

    def _read_once(self) -> int:
        if self._is_closing:
            return len(self._socket.recv(65_536))  # nobody waits for it any more
        size_bytes = self._socket.recv_into(self._session.get_buffer())
        if size_bytes:
            self.received(size_bytes)
        return size_bytes

    def _broke(self, error: OSError) -> None:
        self._error = error
        self.abort()

    # The connection's life

    def _opened(self, welcome: m.Welcome) -> None:
        self._schedule_beat()

    def _schedule_beat(self) -> None:
        due = self._now() + self.beat_s
        self._beat_timer = self._shared.call_at(due, self._beat, due)

    def _beat(self, due: float) -> None:
        if not self.is_over:
            self.beat(self._now() - due)
            self._schedule_beat()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._session.close()
        if not self.is_over:
            self.is_over = True
            self._shared.wake()

    def close(self) -> None:
        """Say goodbye; the broker closes when it has read it."""
        if not self.is_over and not self._is_closing:
            if self.is_open:
                self.push(m.Bye())
            self._session.close()
            self._is_closing = True
            if not self._unsent:
                self._hang_up()

    def _hang_up(self) -> None:
        if self._is_plain:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        else:  # TLS knows no such half
            self.is_over = True

    def finish(self) -> Error:
        """It is over: tell all requests. Returns why it ended."""
        self.discard()
        reason = self._over(self._error)
        self._tell_the_open_requests(reason)
        return reason

    def discard(self) -> None:
        """Let go of the socket, without a word to anybody. What the parent has stays open."""
        self.is_over = self._is_finished = True
        self._session.close()
        if self._beat_timer is not None:
            self._beat_timer.cancel()
        self._socket.close()
