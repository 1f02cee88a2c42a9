"""Where a queue's messages are settled: what is said in a turn of the event loop goes together."""

import asyncio
import builtins
import logging
from collections.abc import Callable

from tapemq import errors
from tapemq.errors import Error
from tapemq.network.connection import Connection
from tapemq.network.link import Link
from tapemq.queues.confirmation import lease_lost, not_extended, unconfirmed
from tapemq.queues.intake import QueueIntake
from tapemq.queues.lease import Lease
from tapemq.queues.ledger import DRAIN_S, Ledger
from tapemq.queues.verdict import RELEASE, Verdict
from tapemq.wire import messages as m
from tapemq.wire.entries import Tokens, pack_tokens

log = logging.getLogger("tapemq.client")


class Desk(Ledger):
    """The ledger of a queue in the running event loop; see there."""

    def __init__(
        self,
        link: Link,
        intake: QueueIntake,
        name: str,
        timeout_s: float,
        on_lease: Callable[[float], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        super().__init__(link, self._loop, intake, name, on_lease)
        self._link = link
        self._timeout_s = timeout_s
        self._changed = asyncio.Event()

    def _progressed(self) -> None:
        self._changed.set()

    # What handlers do

    async def confirm(self, verdict: Verdict, lease: Lease, offsets: range) -> None:
        """Settle, and wait until it is on disk. Raises LeaseLost, IndeterminateError."""
        waiting: asyncio.Future[None] = self._loop.create_future()

        def done(error: Error | None) -> None:
            if waiting.done():  # the caller has given up
                return
            if error is None:
                waiting.set_result(None)
            else:
                waiting.set_exception(error)

        if not self._settle_for(verdict, lease, offsets, done):
            return  # a batch of which each message was settled before
        try:
            async with asyncio.timeout(self._timeout_s):
                await waiting
        except builtins.TimeoutError:
            raise unconfirmed(self._timeout_s) from None

    async def extend(self, lease: Lease, offset: int, lease_ms: int) -> None:
        """Hold a message for longer. Raises LeaseLost, IndeterminateError."""
        connection = self._open_connection()
        if connection is None or offset not in lease.held:
            raise lease_lost(offset)
        request = m.Extend(lease.subscription, lease_ms, int(self._timeout_s * 1000))
        try:
            async with asyncio.timeout(self._timeout_s):
                payload = pack_tokens([(lease.lease_id, offset, 1)])
                reply = await connection.request(request, payload)
        except errors.TimeoutError:
            raise  # the broker's word
        except builtins.TimeoutError:
            raise not_extended(self._timeout_s) from None
        if reply.message.lost:
            self.lose([Tokens(lease.lease_id, offset, 1)], "expired")
            raise lease_lost(offset)

    def _open_connection(self) -> Connection | None:
        connection = self._link.connection
        return connection if connection is not None and connection.is_open else None

    # The end

    async def drain(self) -> None:
        """Once stopped: wait until process() blocks have ended and all is on disk.

        What is held then is given back by unsubscribing.
        """
        try:
            async with asyncio.timeout(DRAIN_S):
                while self.processing:
                    await self._change()
                self.flush()
                while self._unanswered:
                    await self._change()
        except builtins.TimeoutError:
            log.warning("%s: left with handlers at work, or unconfirmed settlements", self._name)
        finally:
            self.flush()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def release(lease: Lease, offset: int) -> None:
    """Give a message back that did not get to the application."""
    if offset in lease.held:
        lease.desk.settle(RELEASE, lease, offset)
