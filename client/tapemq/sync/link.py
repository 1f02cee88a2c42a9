"""The link to a broker without asyncio: a thread that reads, and connects again after a loss."""

import logging
import select
import threading
from collections.abc import Callable
from typing import Any, Final

from tapemq.errors import Closed, Error, NotHere, again
from tapemq.network.attempt import Attempt
from tapemq.network.backoff import Backoff
from tapemq.network.link_state import ATTEMPT_S, HANG_UP_S, LinkState
from tapemq.network.url import Address, Target
from tapemq.sync.bell import Bell
from tapemq.sync.connection import Connection
from tapemq.sync.dial import Dial
from tapemq.sync.promise import Changes, Promise
from tapemq.sync.shared import Shared
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")

_POLL_S: Final = 3600.0
"""Longer waits are cut into such: poll() counts milliseconds in 31 bits."""

_DIALLING_S: Final = 0.1
"""How long closing waits for an attempt to connect."""


class Link(LinkState[Connection]):
    """Keeps one connection alive, and makes requests on whichever there is.

    The reader's thread connects, receives, answers heartbeats and runs timers; it starts with the
    first call that needs it, in each process.
    """

    def __init__(self, target: Target, hello: m.Hello, shared: Shared, dial: Dial) -> None:
        super().__init__(target, hello, shared.clock)
        self._shared = shared
        self._dial = dial
        self.owner: Callable[[], object] = lambda: self
        """What ends the link when it is no more (None)."""
        self._begin()

    def _begin(self) -> None:
        self._changes = Changes()
        self._thread: threading.Thread | None = None
        self._bell: Bell | None = None
        self._ended: Promise[None] = Promise()
        self._in_handshake: Connection | None = None
        self._is_hopeless = False
        self._is_dialling = False
        self._closed_because: Error = Closed("the client is closed")
        self._shared.wake = self._wake

    def _wake(self) -> None:
        if self._bell is not None:
            self._bell.ring()

    def _now(self) -> float:
        return self._shared.time()

    # What the application's threads call

    def open(self, timeout_s: float) -> None:
        """Make the first connection. Raises ConnectionLost with the reason after ``timeout_s``,
        other errors at once when trying again cannot help."""
        until = self._now() + timeout_s
        try:
            while (change := self._first_connection()) is not None:
                if not change.wait(until - self._now()):
                    raise self._not_in_time(timeout_s) from self._last_error
        except BaseException:
            self.close()
            raise

    def _first_connection(self) -> Promise[None] | None:
        with self._shared.lock, self._shared.turn:
            self._start()
            if self.connection is not None:
                return None
            if self._is_hopeless:
                raise self._last_error
            return self._changes.next()

    def call(
        self,
        request: m.Message,
        timeout_s: float,
        *,
        repeatable: bool = True,
        payload: bytes = b"",
    ) -> Any:
        """Make a request, on as many connections as it takes, within ``timeout_s``.

        ``repeatable``: having it done twice is as good as once. What is not is never sent again
        once it may have arrived. Raises TimeoutError, IndeterminateError, or what was answered.
        """
        attempt = Attempt(request._replace(deadline_ms=int(timeout_s * 1000)), repeatable)
        until = self._now() + timeout_s
        while True:
            answer = self._send(attempt, payload, until)
            if answer is None or not answer.wait(until - self._now()):
                raise attempt.failure(self.no_answer(timeout_s))
            try:
                return answer.result()
            except NotHere as error:
                attempt.sent = False
                with self._shared.lock, self._shared.turn:
                    self.move(error.address)
            except Error as error:
                pause_s, left_s = attempt.pause_s(error), until - self._now()
                self.rest(min(pause_s, left_s))
                if pause_s >= left_s:  # once more would be too late, and not be waited for
                    raise attempt.failure(self.no_answer(timeout_s)) from None

    @property
    def is_at_work(self) -> bool:
        """It was used in this process, and is not closed."""
        return self._thread is not None and not self.closed

    def rest(self, pause_s: float) -> None:
        """Wait, but not for a client that is closed; not to be called under the lock."""
        self._ended.wait(pause_s)

    def next_change(self) -> Promise[None]:
        """What is set when a connection comes or goes; to be called under the lock."""
        return self._changes.next()

    def forget_change(self, change: Promise[None]) -> None:
        """Nobody waits for it any more; to be called under the lock."""
        self._changes.forget(change)

    def _send(self, attempt: Attempt, payload: bytes, until: float) -> Promise[Any] | None:
        """The promise of an answer; None if there is no connection in time."""
        while True:
            with self._shared.lock, self._shared.turn:
                connection = self.connected()
                if connection is not None:
                    answer: Promise[Any] = Promise()
                    attempt.sent = True
                    connection.send(attempt.request, answer.settle, payload)
                    return answer
                change = self._changes.next()
            if not change.wait(until - self._now()):
                return None

    def connected(self) -> Connection | None:
        """The connection, if it can be used now; to be called under the lock. Raises Closed."""
        if self.closed:
            raise again(self._closed_because)
        self._start()
        connection = self.connection
        return connection if connection is not None and connection.is_open else None

    def _start(self) -> None:
        """See that the reader's thread runs in this process."""
        if self._thread is None and not self.closed:
            self._bell = Bell()
            self._thread = threading.Thread(target=self._run, name="tapemq-reader", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # there are too many: the next call tries again
                self._thread = None
                self._bell.close()
                raise

    def close(self) -> None:
        """Say goodbye and stop."""
        with self._shared.lock, self._shared.turn:
            self.break_off(Closed("the client is closed"))
        if self._thread is not None and threading.current_thread() is not self._thread:
            # A host that does not answer keeps the thread for a while; it ends by itself then.
            self._ended.wait(_DIALLING_S if self._is_dialling else HANG_UP_S + 1.0)

    def break_off(self, error: Error) -> None:
        """Stop without waiting, with ``error`` for later calls; to be called under the lock."""
        if not self.closed:
            self.closed = True
            self._closed_because = error
        if self.connection is not None:
            self.connection.close()
        self._changes.happened()
        self._wake()

    def after_fork(self, hello: m.Hello) -> None:
        """This process is a child: what is open is the parent's; the next call connects anew."""
        for connection in (self.connection, self._in_handshake):
            if connection is not None:
                connection.discard()
        if self._bell is not None:
            self._bell.close()
        self._hello = hello
        self.connection = None
        self._listeners.clear()
        self._backoff = Backoff()
        self._begin()

    # The reader's thread

    def _run(self) -> None:
        try:
            while not self.closed:
                connection = self._connect()
                if connection is not None:
                    self._keep(connection)
                if self._is_hopeless:
                    break
                if not self.closed:
                    self._rest(self._pause_s())
        except Exception:
            # Without its reader a client would wait for ever.
            log.exception("the reader's thread failed")
            with self._shared.lock:
                self._shared.on_interrupt(Closed("the client failed; its log says why"))
        with self._shared.lock:
            if self.connection is not None:
                self.connection.finish()
            self.connection = None
            if self._bell is not None:
                self._bell.close()
            self._changes.happened()
            self._ended.resolve(None)

    def _connect(self) -> Connection | None:
        """Try each address once."""
        for address in self._target.addresses:
            error: Exception | None = None
            try:
                connection = self._shake_hands(address)
            except (Error, OSError) as failure:
                error = failure
            else:
                with self._shared.lock, self._shared.turn:
                    self._came_up(address, connection)
                    self._changes.happened()
                return connection
            with self._shared.lock:
                is_silent = isinstance(error, TimeoutError) and not isinstance(error, Error)
                self._missed(address, None if is_silent else error)
        with self._shared.lock:
            # Once there was a connection, what is wrong now may be put right again.
            self._is_hopeless = self.welcome is None and not self._last_error.retryable
            self._changes.happened()
        if not self.closed:
            log.warning("no connection to %s: %s", self._names(), self._last_error)
        return None

    def _shake_hands(self, address: Address) -> Connection:
        self._is_dialling = True
        try:
            connected = self._dial(address, self._target.tls, ATTEMPT_S)
        finally:
            self._is_dialling = False
        until = self._now() + ATTEMPT_S
        with self._shared.lock:
            connection = self._in_handshake = Connection(connected, self._hello, self._shared)
            connection.greet()
        while connection.welcome is None or self.closed:
            if self._now() >= until or self.closed:
                connection.abort()
            if connection.is_over:
                raise self._finished(connection, None)
            self._turn(connection, until)
        self._in_handshake = None
        return connection

    def _keep(self, connection: Connection) -> None:
        """Receive until the connection is lost."""
        opened_at = self._now()
        until: float | None = None
        while not connection.is_over:
            if self.closed and until is None:
                until = self._now() + HANG_UP_S
            if until is not None and self._now() >= until:
                break  # nobody reads what is still to be written
            self._turn(connection, until)
        self._finished(connection, opened_at)

    def _finished(self, connection: Connection, opened_at: float | None) -> Error:
        with self._shared.lock, self._shared.turn:
            reason = connection.finish()
            self._in_handshake = None
            if self.closed:
                self.connection = None
            elif opened_at is not None:
                self._went_down(reason, self._now() - opened_at)
            self._changes.happened()
        return reason

    def _rest(self, pause_s: float) -> None:
        until = self._now() + pause_s
        while not self.closed and self._now() < until:
            self._turn(None, until)

    def _turn(self, connection: Connection | None, until: float | None) -> None:
        """Wait for something to happen, at most until then, and do what it asks for."""
        timeout_s, poll = self._prepare(connection, until)
        happened = poll(timeout_s * 1000)
        with self._shared.lock, self._shared.turn:
            assert self._bell is not None
            self._bell.hush()
            events = dict(happened)
            if connection is not None and not connection.is_over:
                if connection.wants_write:
                    connection.write()
                if connection.has_more or events.get(connection.fileno(), 0) & ~select.POLLOUT:
                    connection.read()
            self._shared.run_due()
            if self.owner() is None and not self.closed:
                self.break_off(Closed("the client was dropped without being closed"))

    def _prepare(
        self, connection: Connection | None, until: float | None
    ) -> tuple[float, Callable[[float], list[tuple[int, int]]]]:
        poller = select.poll()
        with self._shared.lock:
            assert self._bell is not None
            poller.register(self._bell.fileno(), select.POLLIN)
            timeout_s = self._shared.due_in_s()
            if connection is not None and not connection.is_over:
                writes = select.POLLOUT if connection.wants_write else 0
                poller.register(connection.fileno(), select.POLLIN | writes)
                if connection.has_more:
                    timeout_s = 0.0
        if until is not None:
            left_s = max(0.0, until - self._now())
            timeout_s = left_s if timeout_s is None else min(timeout_s, left_s)
        return _POLL_S if timeout_s is None else min(timeout_s, _POLL_S), poller.poll
