"""What the end of a handler makes of its message."""

import traceback

from tapemq.queues.verdict import ACK, RELEASE, Verdict, nack, reject

Exceptions = type[Exception] | tuple[type[Exception], ...]


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
    text = "".join(traceback.format_exception_only(error)).strip()
    reason = type(error).__name__
    return reject(reason, text) if isinstance(error, reject_on) else nack(None, reason, text)
