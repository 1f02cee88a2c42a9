"""The link to a broker: a connection that is made again whenever it is lost."""

import asyncio
import builtins
import logging
from typing import Any, Protocol

from tapemq import errors
from tapemq._clock import Clock
from tapemq.errors import (
    Closed,
    ConnectionLost,
    Error,
    IndeterminateError,
    NotHere,
    Overloaded,
)
from tapemq.network.backoff import Backoff
from tapemq.network.connection import Connection
from tapemq.network.dial import Dial
from tapemq.network.url import Target, parse_address
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")

_ATTEMPT_S = 5.0
"""How long one attempt to connect may take."""

_SILENT = "{} does not answer; is that the broker's own port, and not that of HTTP?"

_OVERLOADED_S = 0.1
"""The least time before a request that was refused for overload is made again."""

_HANG_UP_S = 2.0
"""How long the last bytes may take."""

_STABLE_S = 0.25
"""A connection that was lost sooner does not reset the back-off: it was refused, or of no use. With
5 s, a broker that was killed every second kept its clients away for up to 30 s each time."""


class LinkListener(Protocol):
    """Told about connections as they come and go."""

    def link_up(self, connection: Connection) -> None:
        """A new session is open; nothing of an older one is left in it."""

    def link_down(self, reason: Error) -> None:
        """The connection was lost; another one is being made."""


class Link:
    """Keeps one connection alive, and makes requests on whichever there is."""

    def __init__(self, target: Target, hello: m.Hello, clock: Clock, dial: Dial) -> None:
        self._target = target
        self._hello = hello
        self._clock = clock
        self._dial = dial
        self._backoff = Backoff()
        self._listeners: dict[LinkListener, None] = {}
        self._up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        # What there is to say if the caller's time ends before the first attempt does.
        self._last_error: Error = ConnectionLost(_SILENT.format(target.addresses[0]))
        self.closed = False
        self.connection: Connection | None = None
        self.welcome: m.Welcome | None = None

    @property
    def limits(self) -> m.Welcome:
        """What the broker said when the latest session opened."""
        assert self.welcome is not None
        return self.welcome

    def listen(self, listener: LinkListener) -> None:
        """Tell ``listener`` from now on."""
        self._listeners[listener] = None

    def unlisten(self, listener: LinkListener) -> None:
        """Do not tell it any more."""
        self._listeners.pop(listener, None)

    # Connecting

    async def open(self, timeout_s: float) -> None:
        """Make the first connection. Raises ConnectionLost with the reason after ``timeout_s``,
        other errors at once when trying again cannot help."""
        try:
            async with asyncio.timeout(timeout_s):
                while not await self._attempt():
                    if not self._last_error.retryable:
                        raise self._last_error
                    await self._pause()
        except builtins.TimeoutError:
            raise ConnectionLost(
                f"no connection to {self._names()} within {timeout_s:g} s: {self._last_error}"
            ) from self._last_error
        self._keeper = asyncio.create_task(self._keep(), name="tapemq-link")

    async def _keep(self) -> None:
        while self.connection is not None:
            opened_at = self._now()
            reason = await asyncio.shield(self.connection.lost)
            self._went_down(reason)
            if self._now() - opened_at >= _STABLE_S:
                self._backoff.reset()
            await self._pause()
            while not await self._attempt():
                log.warning("no connection to %s: %s", self._names(), self._last_error)
                await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(self._backoff.next_delay_s(self._clock.fraction()))

    async def _attempt(self) -> bool:
        """Try each address once."""
        for address in self._target.addresses:
            try:
                async with asyncio.timeout(_ATTEMPT_S):
                    connection = await self._dial(address, self._target.tls, self._hello)
                    await self._handshake(connection)
            except builtins.TimeoutError:
                self._last_error = ConnectionLost(_SILENT.format(address))
            except Error as error:  # before OSError: some are both
                self._last_error = error
            except OSError as error:
                self._last_error = ConnectionLost(f"{address}: {error.strerror or error}")
            else:
                log.info("connected to %s", address)
                self._came_up(connection)
                return True
        return False

    @staticmethod
    async def _handshake(connection: Connection) -> None:
        try:
            await asyncio.shield(connection.opened)
        except BaseException:
            connection.abort()
            raise

    def _came_up(self, connection: Connection) -> None:
        self.connection = connection
        self.welcome = connection.welcome
        self._up.set()
        for listener in tuple(self._listeners):
            listener.link_up(connection)

    def _went_down(self, reason: Error) -> None:
        log.warning("lost the connection to %s: %s", self._names(), reason)
        self._last_error = reason
        self.connection = None
        self._up.clear()
        for listener in tuple(self._listeners):
            listener.link_down(reason)

    def hindrance(self) -> str:
        """Why publishing waits, to be put behind an error's text; "" if it need not."""
        if self.connection is None:
            return f" (no connection: {self._last_error})"
        if self.connection.window.blocked:
            return f" (the broker takes none: {self.connection.window.blocked_because})"
        return ""

    def _names(self) -> str:
        return ", ".join(map(str, self._target.addresses))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Say goodbye and stop."""
        self.closed = True
        self._up.set()  # whoever waits for a connection learns that none will come
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self.connection is not None:
            await self._hang_up(self.connection)
            self.connection = None

    @staticmethod
    async def _hang_up(connection: Connection) -> None:
        connection.close()
        try:
            async with asyncio.timeout(_HANG_UP_S):
                await asyncio.shield(connection.lost)
        except builtins.TimeoutError:
            connection.abort()  # nobody reads what is still to be written

    # Requests

    async def call(self, request: m.Message, timeout_s: float, *, repeatable: bool = True) -> Any:
        """Make a request, on as many connections as it takes, within ``timeout_s``.

        ``repeatable``: having it done twice is as good as once. What is not is never sent again
        once it may have arrived. Raises TimeoutError, IndeterminateError, or what was answered.
        """
        attempt = _Attempt(request, repeatable)
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    connection = await self.connected()
                    answer = await self._try(attempt, connection, timeout_s)
                    if answer is not None:
                        return answer
        except errors.TimeoutError:
            raise  # the broker's word: it has the deadline too
        except builtins.TimeoutError:
            reason = f"no answer within {timeout_s:g} s"
            if self.connection is None:
                reason = f"no connection within {timeout_s:g} s: {self._last_error}"
            raise attempt.failure(reason) from None

    async def _try(self, attempt: "_Attempt", connection: Connection, timeout_s: float) -> Any:
        """The answer, or None: try again."""
        attempt.sent = True
        try:
            request = attempt.request._replace(deadline_ms=int(timeout_s * 1000))
            return await connection.request(request)
        except ConnectionLost as error:
            if not attempt.repeatable:
                raise attempt.failure(str(error)) from error
        except IndeterminateError as error:
            raise attempt.failure(str(error)) from error
        except Overloaded as error:
            attempt.sent = False
            await asyncio.sleep(max(error.retry_after, _OVERLOADED_S))
        except NotHere as error:
            attempt.sent = False
            self.move(error.address)
        return None

    async def connected(self) -> Connection:
        """The connection, as soon as there is one. Raises Closed."""
        while True:
            if self.closed:
                raise Closed("the client is closed")
            if self.connection is not None and self.connection.is_open:
                return self.connection
            self._up.clear()
            await self._up.wait()

    def move(self, address: str) -> None:
        """Go to the broker that a NotHere names."""
        rest = [known for known in self._target.addresses if str(known) != address]
        self._target = Target((parse_address(address), *rest), self._target.tls)
        if self.connection is not None:
            self.connection.abort()


class _Attempt:
    """A request, and whether it is or may be with the broker."""

    def __init__(self, request: m.Message, repeatable: bool) -> None:
        self.request = request
        self.repeatable = repeatable
        self.sent = False

    def failure(self, reason: str) -> Error:
        """What to raise when no answer will come."""
        name = type(self.request).__name__
        if self.sent and not self.repeatable:
            return IndeterminateError(f"{name} may or may not have been done: {reason}")
        return errors.TimeoutError(f"{name}: {reason}")
