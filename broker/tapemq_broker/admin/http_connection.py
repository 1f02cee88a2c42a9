"""A connection of the HTTP side: who is silent, or one too many, is closed."""

import asyncio
import logging
from itertools import count
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_log = logging.getLogger("tapemq.admin")

CONNECTIONS_MAX: Final = 100
WAIT_S: Final = 15
"""Time from the opening of a connection, or from an answer, until the next answer is written."""

_turns: Final = count()
"""Of all that wait, in their order: clocks of event loops are too coarse to tell them apart."""


class HttpConnection(H11Protocol):
    """uvicorn's, which alone would wait for a first request for ever, or for half of one.

    When there are too many, that which has waited longest goes: a probe always gets in.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._turn = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > CONNECTIONS_MAX:
            self._abort_longest_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """An answer is written: the next request has as long as the first."""
        self._wait()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """What came is not HTTP. uvicorn's alone would have the application answer, too, or answer
        what is answered already, and log the failure of that as an error of the broker's."""
        peer = f"{self.client[0]}:{self.client[1]}" if self.client else "?"
        _log.warning(
            "HTTP connection from %s closed: what came is no HTTP request. Health and metrics are "
            "here; a client of the broker connects to its other port",
            peer,
        )
        cycle: RequestResponseCycle | None = self.cycle
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):  # of this request, nothing is said
            super().send_400_response(msg)
        self.transport.close()
        if cycle is not None:
            cycle.disconnected = True

    def _unsupported_upgrade_warning(self) -> None:
        """The request is answered as it is: there is nothing to be installed, as uvicorn says."""

    def _wait(self) -> None:
        self._stop_waiting()
        self._turn = next(_turns)
        # Not close(): what is unsent to a client that does not read would keep it open.
        self._deadline = self.loop.call_later(WAIT_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def _abort_longest_waiting(self) -> None:
        ours = [other for other in self.connections if isinstance(other, HttpConnection)]
        longest = min(ours, key=lambda connection: connection._turn)
        # Of those that come in the same turn of the loop, each is to find another one.
        self.connections.discard(longest)
        longest.transport.abort()
