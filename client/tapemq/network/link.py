"""The link to a broker with asyncio: a connection that is made again whenever it is lost."""

import asyncio
import builtins
import logging
from typing import Any

from tapemq import errors
from tapemq._clock import Clock
from tapemq.errors import Closed, Error, NotHere
from tapemq.network.attempt import Attempt
from tapemq.network.connection import Connection
from tapemq.network.dial import Dial
from tapemq.network.link_state import ATTEMPT_S, HANG_UP_S, LinkState
from tapemq.network.url import Target
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")


class Link(LinkState[Connection]):
    """Keeps one connection alive, and makes requests on whichever there is."""

    def __init__(self, target: Target, hello: m.Hello, clock: Clock, dial: Dial) -> None:
        super().__init__(target, hello, clock)
        self._dial = dial
        self._loop = asyncio.get_running_loop()
        self._up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

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
            raise self._not_in_time(timeout_s) from self._last_error
        self._keeper = asyncio.create_task(self._keep(), name="tapemq-link")

    async def _keep(self) -> None:
        while self.connection is not None:
            opened_at = self._now()
            reason = await asyncio.shield(self.connection.lost)
            self._up.clear()
            self._went_down(reason, self._now() - opened_at)
            await self._pause()
            while not await self._attempt():
                log.warning("no connection to %s: %s", self._names(), self._last_error)
                await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(self._pause_s())

    async def _attempt(self) -> bool:
        """Try each address once."""
        for address in self._target.addresses:
            try:
                async with asyncio.timeout(ATTEMPT_S):
                    connection = await self._dial(address, self._target.tls, self._hello)
                    await self._handshake(connection)
            except builtins.TimeoutError as error:
                self._missed(address, error if isinstance(error, Error) else None)
            except (Error, OSError) as error:
                self._missed(address, error)
            else:
                self._up.set()
                self._came_up(address, connection)
                return True
        return False

    @staticmethod
    async def _handshake(connection: Connection) -> None:
        try:
            # Not shield(): from Python 3.14 on it logs errors of what nobody waits for any more.
            await asyncio.wait((connection.opened,))
            connection.opened.result()
        except BaseException:
            connection.abort()
            raise

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Say goodbye and stop."""
        self.closed = True
        self._up.set()  # whoever waits for a connection learns that none will come
        try:
            if self._keeper is not None:
                self._keeper.cancel()
                await asyncio.wait([self._keeper])
        except asyncio.CancelledError:
            if self.connection is not None:
                self.connection.close()  # nobody comes back to do it
                self.connection = None
            raise
        connection, self.connection = self.connection, None
        if connection is not None:
            await self._hang_up(connection)

    @staticmethod
    async def _hang_up(connection: Connection) -> None:
        connection.close()
        try:
            async with asyncio.timeout(HANG_UP_S):
                await asyncio.shield(connection.lost)
        except builtins.TimeoutError:
            connection.abort()  # nobody reads what is still to be written

    # Requests

    def check(self) -> None:
        """Raise Closed, or RuntimeError in another event loop than that of the connection: there
        its answers would never arrive, and what it knows would change in two threads."""
        if self.closed:
            raise Closed("the client is closed")
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                "the client belongs to another event loop: call tapemq.connect() in each loop"
                " (in threads without one: tapemq.sync.connect)"
            )

    async def call(
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
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    connection = await self.connected()
                    answer = await self._try(attempt, connection, payload)
                    if answer is not None:
                        return answer
        except errors.TimeoutError:
            raise  # the broker's word: it has the deadline too
        except builtins.TimeoutError:
            raise attempt.failure(self.no_answer(timeout_s)) from None

    async def _try(self, attempt: Attempt, connection: Connection, payload: bytes) -> Any:
        """The answer, or None: try again."""
        attempt.sent = True
        try:
            return await connection.request(attempt.request, payload)
        except NotHere as error:
            attempt.sent = False
            self.move(error.address)
        except Error as error:
            await asyncio.sleep(attempt.pause_s(error))
        return None

    async def connected(self) -> Connection:
        """The connection, as soon as there is one. Raises Closed."""
        while True:
            self.check()
            if self.connection is not None and self.connection.is_open:
                return self.connection
            self._up.clear()
            await self._up.wait()
