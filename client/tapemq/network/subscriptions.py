"""Keeps a reader's subscriptions alive: subscribes, and again after each loss.

A reader that cannot get an answer says so in the log and asks again; one that cannot go on fails.
"""

import asyncio
import builtins
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from tapemq.errors import ConnectionLost, Error, IndeterminateError, again
from tapemq.network.connection import Connection
from tapemq.network.link import Link
from tapemq.network.reader import LEAVE_S, Reader
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")


class Subscriptions(Reader[Connection]):
    """The subscriptions of one reader, in the running event loop."""

    def __init__(self, link: Link, topic: str, timeout_s: float, kind: str) -> None:
        super().__init__(link, topic, timeout_s, kind, "async with")
        self.changed = asyncio.Event()
        self._link: Link = link
        self._loop = asyncio.get_running_loop()
        self._subscribing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # between following the link and subscribing elsewhere

    # Opening and closing

    async def open(self) -> None:
        """Find the topic, creating it if that is allowed, and subscribe. Raises Error."""
        request = m.DescribeTopic(self._name, create=True)
        self._topic = await self._link.call(request, self._timeout_s)
        self.failure = None
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self.subscribe()
                while not connection.is_open:
                    connection = await self.subscribe()
                self._link.listen(self)
        except builtins.TimeoutError:
            self.close()
            raise self._too_late() from None
        except BaseException:
            self.close()
            raise

    async def subscribe(self) -> Connection:
        """Make all subscriptions, as positions and options are now, instead of those there are."""
        refused = False
        while True:
            connection = await self._link.connected()
            try:
                if refused:  # the topic may have been deleted just now
                    await self._check_topic(connection)
                await self._subscribe(connection)
            except ConnectionLost:
                continue
            except Error as error:
                if not error.retryable:
                    raise
                refused = True
                await asyncio.sleep(self._heed(error))
            else:
                return connection

    async def leave(self) -> None:
        """Unsubscribe, if there is a connection, and wait for that if it does not take long.

        All is said before it waits, so that who is cancelled meanwhile has left, too.
        """
        connection = self._link.connection
        if connection is None or not connection.is_open:
            return
        left = asyncio.Event()
        self._drop_subscriptions(connection, left.set)
        with suppress(builtins.TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await left.wait()

    def _stop(self) -> None:
        if self._subscribing is not None:
            self._subscribing.cancel()
            self._subscribing = None

    def _progressed(self) -> None:
        self.changed.set()

    # Following the link

    def link_up(self, connection: Connection) -> None:
        """Subscribe again."""
        self._stop()
        self._subscribing = asyncio.create_task(self._subscribe_again(connection))

    async def _subscribe_again(self, connection: Connection) -> None:
        while connection.is_open:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._check_topic(connection)
                    await self._subscribe(connection)
                log.info("reading %s again", self._name)
                return
            except ConnectionLost:
                return  # link_up comes again
            except (builtins.TimeoutError, IndeterminateError):
                log.warning("no answer: cannot read %s; asking again", self._name)
            except Error as error:
                if not error.retryable:
                    self._subscribing = None
                    if not self._gives_in(error):
                        log.error("cannot read %s any more: %s", self._name, error)
                        self.fail(error)
                    return
                await asyncio.sleep(self._heed(error))

    async def _check_topic(self, connection: Connection) -> None:
        self._describe_again(await connection.request(m.DescribeTopic(self._name)))

    async def _subscribe(self, connection: Connection) -> None:
        async with self._turn:
            self._drop_subscriptions(connection)
            self._cut_off()
            await self._make(connection, self._plan())

    async def _make(self, connection: Connection, plan: Sequence[Any]) -> None:
        for request in plan:
            await connection.request(self._number(connection, request))

    async def wait_for(self, is_so: Callable[[], bool]) -> None:
        """Wait for what a push or an answer changes.

        Raises what the reader fails with, or ConnectionLost if it takes too long.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                while self.failure is None and not is_so():
                    await self.change()
        except builtins.TimeoutError:
            raise self._too_late() from None
        if self.failure is not None:
            raise again(self.failure)

    async def change(self) -> None:
        """Wait until something was pushed, or has failed. Look first, then wait."""
        self.changed.clear()
        await self.changed.wait()
