"""What an exception of a worker's handler makes of its message."""

from typing import NamedTuple

from tapemq.queues.outcome import Exceptions, Reject, outcome_of
from tapemq.queues.verdict import Verdict, nack


class Undecodable(Reject):
    """``decode`` refused a message's value; ``__cause__`` says why."""


class Rules(NamedTuple):
    """Which exceptions mean what: see ``App.handler``."""

    retry_on: Exceptions = Exception
    reject_on: Exceptions = ()
    ignore: Exceptions = ()

    def verdict(self, error: BaseException) -> Verdict:
        """The verdict on a message whose handler raised ``error``."""
        if not isinstance(error, Exception):
            # What a handler calls may end like a program; the worker goes on.
            name = type(error).__name__
            return nack(None, name, f"{name}: {error}")
        reject_on = self.reject_on if isinstance(error, self.retry_on) else Exception
        return outcome_of(error, reject_on, self.ignore)
