"""Several requests, one behind the other, made on one connection in the background."""

from collections.abc import Callable, Generator
from typing import Any

from tapemq.errors import Error, RequestRefused
from tapemq.network.exchange import Exchange

Steps = Generator[Any, Any, None]
"""Yields requests; is sent the answer to each, or has the Error raised that came instead."""


class Errand:
    """Carries out ``steps``, then calls ``done`` with None or the Error that ended them.

    Used under the client's lock; the answers come in the reader's thread.
    """

    def __init__(
        self, connection: Exchange, steps: Steps, done: Callable[[Error | None], None]
    ) -> None:
        self._connection = connection
        self._steps = steps
        self._done = done
        self.is_over = False

    def start(self) -> None:
        """Make the first request."""
        self._go(None)

    def stop(self) -> None:
        """Make no more requests; ``done`` is not called."""
        self.is_over = True
        self._steps.close()

    def _go(self, answer: Any) -> None:
        if self.is_over:
            return
        try:
            if isinstance(answer, Error):
                request = self._steps.throw(answer)
            else:
                request = self._steps.send(answer)
            self._connection.send(request, self._go)
        except StopIteration:
            self._end(None)
        except Error as error:
            self._end(error)
        except ValueError as error:  # the request cannot be said
            self._end(RequestRefused(str(error)))

    def _end(self, error: Error | None) -> None:
        self.is_over = True
        self._steps.close()
        self._done(error)
