"""Who waits for a settlement to be on disk, and what they learn. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from tapemq.errors import ConnectionLost, Error, IndeterminateError, LeaseLost, Overloaded
from tapemq.network.exchange import Reply
from tapemq.wire.entries import Tokens, unpack_tokens

Done = Callable[[Error | None], None]
"""Called once: with None if all is on disk, else with what is wrong."""


class Waiter(NamedTuple):
    """Somebody who settled these messages and wants to know what came of it."""

    lease_id: int
    first_offset: int
    next_offset: int
    done: Done


class Confirmation:
    """The answers to the frames of one settlement."""

    def __init__(self, frames: int, waiters: Sequence[Waiter]) -> None:
        self._frames = frames
        self._left = frames
        self._waiters = list(waiters)

    def answered(self, result: Any) -> int:
        """A frame was answered: by a Reply with Settled, or not (an Error).

        Returns how many messages were lost. Raises ProtocolError for a payload that is none.
        """
        if isinstance(result, Error):
            self._fail(result)
            return 0
        assert isinstance(result, Reply)
        lost = unpack_tokens(result.payload)
        if lost and self._waiters:
            self._lose(lost)
        self._left -= 1
        if not self._left:
            for waiter in self._waiters:
                waiter.done(None)
        return sum(entry.records for entry in lost)

    def _fail(self, error: Error) -> None:
        if isinstance(error, ConnectionLost):
            failure: Error = IndeterminateError(f"the settlement may or may not count: {error}")
            failure.__cause__ = error
            error = failure
        for waiter in self._waiters:
            waiter.done(self._stopping(error, waiter))
        self._waiters.clear()

    def _stopping(self, error: Error, waiter: Waiter) -> Error:
        """A broker that stops takes no settlements, and the leases end with the connection."""
        if not isinstance(error, Overloaded):
            return error
        if self._frames == 1:
            return lease_lost(waiter.first_offset)
        return IndeterminateError(f"the settlement may or may not count in part: {error}")

    def _lose(self, lost: Iterable[Tokens]) -> None:
        waiting = []
        for waiter in self._waiters:
            if any(_meet(waiter, entry) for entry in lost):
                waiter.done(lease_lost(waiter.first_offset))
            else:
                waiting.append(waiter)
        self._waiters = waiting


def _meet(waiter: Waiter, entry: Tokens) -> bool:
    return (
        waiter.lease_id == entry.lease_id
        and waiter.first_offset < entry.first_offset + entry.records
        and waiter.next_offset > entry.first_offset
    )


def lease_lost(offset: int) -> LeaseLost:
    """What to raise for a message that is not this consumer's any more."""
    return LeaseLost(
        f"the message at offset {offset} is not this consumer's any more: its lease was lost, or "
        "it was settled before; nothing was changed"
    )


def unconfirmed(timeout_s: float) -> IndeterminateError:
    """What to raise when the answer to a settlement does not come."""
    text = f"no answer within {timeout_s:g} s: the settlement may or may not count"
    return IndeterminateError(text)


def not_extended(timeout_s: float) -> IndeterminateError:
    """What to raise when the answer to an extension does not come."""
    return IndeterminateError(f"no answer within {timeout_s:g} s: it may be extended")
