"""Publishing to one topic with asyncio: the router, opened and waited for."""

import asyncio
import logging

from tapemq import errors
from tapemq._clock import Clock
from tapemq.errors import Error
from tapemq.network.link import Link
from tapemq.publishing.lane import LaneOptions
from tapemq.publishing.router import Router
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")


class Publisher(Router):
    """See Router."""

    def __init__(
        self, link: Link, clock: Clock, topic: str, options: LaneOptions, timeout_s: float
    ) -> None:
        super().__init__(link, asyncio.get_running_loop(), clock, topic, options)
        self._link = link
        self._timeout_s = timeout_s
        self._progress = asyncio.Event()
        self._routing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Learn the topic's partitions, creating it if that is allowed, and become a producer."""
        identity, route = await asyncio.gather(
            self._link.call(m.OpenProducer(), self._timeout_s),
            self._link.call(m.DescribeTopic(self.topic, create=True), self._timeout_s),
        )
        self.routed(identity, route)
        self._link.listen(self)

    def close(self) -> None:
        """Stop; whatever is unconfirmed is given up."""
        self._link.unlisten(self)
        if self._routing is not None:
            self._routing.cancel()

    def _route_again(self) -> None:
        self._routing = asyncio.create_task(self._look_up_again())

    async def _look_up_again(self) -> None:
        request = m.DescribeTopic(self.topic, create=True)
        while True:
            try:
                route = await self._link.call(request, self._timeout_s)
            except errors.TimeoutError as error:
                # Who waits for receipts has a deadline of their own.
                log.warning("%s: %s", self.topic, error)
            except Error as error:
                self._routing = None
                self.fail(error)
                return
            else:
                self._routing = None
                self.rerouted(route)
                return

    def _progressed(self) -> None:
        self._progress.set()
        self._progress.clear()

    async def progress(self) -> None:
        """Wait until a batch is answered, or the publisher fails."""
        await self._progress.wait()
