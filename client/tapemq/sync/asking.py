"""A request that is made in the background, on each connection anew, until it is answered."""

import logging
from collections.abc import Callable
from typing import Any, Final

from tapemq.errors import ConnectionLost, Error, IndeterminateError, NotHere, Overloaded
from tapemq.sync.connection import Connection
from tapemq.sync.link import Link
from tapemq.sync.shared import Shared
from tapemq.wire.messages import Message

log = logging.getLogger("tapemq.client")

_RETRY_S: Final = 0.1


class Asking:
    """Calls ``then`` once, with the answer or with an error that asking again does not change.

    ``request`` may be made twice without harm. Used under the client's lock.
    """

    def __init__(
        self, link: Link, shared: Shared, request: Message, then: Callable[[Any], None]
    ) -> None:
        self._link = link
        self._shared = shared
        self._request = request
        self._then = then
        self._is_over = False

    def start(self) -> None:
        """Ask, now or when there is a connection."""
        self._link.listen(self)
        connection = self._link.connected()
        if connection is not None:
            self.link_up(connection)

    def stop(self) -> None:
        """Nobody wants to know any more."""
        self._is_over = True
        self._link.unlisten(self)

    def link_up(self, connection: Connection) -> None:
        """Ask this broker."""
        connection.send(self._request, self._answered)

    def link_down(self, reason: Error) -> None:
        """The next connection is asked."""

    def _answered(self, answer: Any) -> None:
        if self._is_over or isinstance(answer, ConnectionLost):
            return
        if isinstance(answer, NotHere):
            self._link.move(answer.address)
        elif isinstance(answer, Error) and (answer.retryable or _is_late(answer)):
            log.warning("%s: %s", type(self._request).__name__, answer)
            pause_s = answer.retry_after if isinstance(answer, Overloaded) else 0.0
            self._shared.call_later(max(pause_s, _RETRY_S), self._ask_again)
        else:
            self.stop()
            self._then(answer)

    def _ask_again(self) -> None:
        connection = self._link.connection
        if not self._is_over and connection is not None and connection.is_open:
            self.link_up(connection)


def _is_late(answer: Error) -> bool:
    return isinstance(answer, IndeterminateError)
