"""One request, made on as many connections as it takes."""

import math
from typing import Final

from tapemq import errors
from tapemq.errors import ConnectionLost, Error, IndeterminateError, Overloaded
from tapemq.wire.messages import Message

_OVERLOADED_S: Final = 0.1
"""The least time before a request that was refused for overload is made again."""


def check_timeout(timeout_s: float) -> float:
    """The time that requests have, itself. Raises ValueError for what cannot be told the broker."""
    if not 0 < timeout_s < math.inf:
        raise ValueError(f"timeout is a number of seconds, more than 0, not {timeout_s}")
    return timeout_s


class Attempt:
    """A request, and whether it is or may be with the broker.

    ``repeatable``: having it done twice is as good as once. What is not is never sent again once
    it may have arrived.
    """

    def __init__(self, request: Message, repeatable: bool) -> None:
        self.request = request
        self.repeatable = repeatable
        self.sent = False

    def pause_s(self, error: Error) -> float:
        """After an error: wait so long, then try again. Raises Error if that is not to be done."""
        if isinstance(error, ConnectionLost):
            if not self.repeatable:
                raise self.failure(str(error)) from error
            return 0.0
        if isinstance(error, IndeterminateError):
            raise self.failure(str(error)) from error
        if isinstance(error, Overloaded):
            self.sent = False
            return max(error.retry_after, _OVERLOADED_S)
        raise error

    def failure(self, reason: str) -> Error:
        """What to raise when no answer will come."""
        name = type(self.request).__name__
        if self.sent and not self.repeatable:
            return IndeterminateError(f"{name} may or may not have been done: {reason}")
        return errors.TimeoutError(f"{name}: {reason}")
