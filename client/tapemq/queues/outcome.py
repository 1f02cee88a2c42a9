"""What the end of a handler makes of its message."""

import traceback

from tapemq.queues.verdict import ACK, RELEASE, Duration, Verdict, milliseconds, nack, reject

Exceptions = type[Exception] | tuple[type[Exception], ...]


class Retry(Exception):
    """Raised by a handler: its message failed, and comes again after ``delay`` (None: when the
    group's policy says). Raises ValueError for a delay that cannot be."""

    def __init__(self, reason: str = "", *, delay: Duration | None = None) -> None:
        super().__init__(reason)
        if delay is not None:
            milliseconds(delay)  # here it fails the message, at the block's end it would end run()
        self.reason = reason
        self.delay = delay


class Reject(Exception):
    """Raised by a handler: trying again is no use, its message is dead now."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


def outcome_of(
    error: BaseException | None, reject_on: Exceptions = (), ignore: Exceptions = ()
) -> Verdict:
    """The verdict on a message whose handler ended with ``error``, or without one.

    Never an ack for what ends a task or the process: the message is given back.
    """
    if error is None or isinstance(error, ignore):
        return ACK
    if not isinstance(error, Exception):
        return RELEASE
    if isinstance(error, Retry):
        return nack(error.delay, error.reason or "Retry", _text(error.__cause__))
    if isinstance(error, Reject):
        return reject(error.reason or "Reject", _text(error.__cause__))
    reason, text = type(error).__name__, _text(error)
    return reject(reason, text) if isinstance(error, reject_on) else nack(None, reason, text)


def _text(error: BaseException | None) -> str:
    return "" if error is None else "".join(traceback.format_exception_only(error)).strip()
