"""What the end of a handler makes of its message."""

import asyncio
import inspect
import traceback
from collections.abc import Callable
from typing import Any

from tapemq.queues.verdict import ACK, RELEASE, Duration, Verdict, milliseconds, nack, reject

Exceptions = type[Exception] | tuple[type[Exception], ...]


class Retry(Exception):
    """Raised by a handler: its message failed, and comes again after ``delay`` (None: when the
    group's policy says). ``reason`` may be an exception. Raises ValueError for a delay that cannot
    be."""

    def __init__(self, reason: object = "", *, delay: Duration | None = None) -> None:
        super().__init__(reason)
        # What makes no sense here fails the message; at the block's end it would end run().
        if delay is not None:
            milliseconds(delay)
        self.reason = str(reason or "")
        self.delay = delay


class Reject(Exception):
    """Raised by a handler: trying again is no use, its message is dead now. ``reason`` may be an
    exception."""

    def __init__(self, reason: object = "") -> None:
        super().__init__(reason)
        self.reason = str(reason or "")


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


def check_exceptions(**choices: Exceptions) -> None:
    """Raise TypeError for what no exception can be compared with, such as a list of classes: when
    one is raised it is too late, and the message would be settled by nobody."""
    for name, kinds in choices.items():
        try:
            _ = isinstance(None, kinds)
        except TypeError:
            raise TypeError(
                f"{name} is an exception class or a tuple of them, not {kinds!r}"
            ) from None


def check_function(function: Callable[..., Any], *, awaited: bool, arguments: int = 1) -> None:
    """Raise TypeError for a handler that cannot be called with so many arguments, or of which a
    call runs nothing: each message would fail until it is dead. ``awaited``: a coroutine is."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function!r} cannot be a handler: it yields, and nobody iterates over it")
    if not awaited and inspect.iscoroutinefunction(function):
        raise TypeError(f"{function!r} cannot be a handler without asyncio: nobody awaits it")
    _check_arguments(function, arguments)


def _check_arguments(function: Callable[..., Any], count: int) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:  # of some builtins nothing is known
        return
    try:
        signature.bind(*range(count))
    except TypeError as error:
        called = "the message" if count == 1 else "the decoded value and the message"
        raise TypeError(
            f"{function!r} cannot be a handler: it is called with {called}: {error}"
        ) from None


async def finish(result: Any) -> None:
    """Let a handler's call come to its end: one that was no coroutine is there already, and what
    it has done would be done again if it counted as failed."""
    check_returned(await result if inspect.isawaitable(result) else result)


def check_returned(result: Any) -> None:
    """Raise TypeError for what has still to be run: an ack would be one of what was never done."""
    if result is None or asyncio.isfuture(result):  # a task runs by itself
        return
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        if inspect.iscoroutine(result):
            result.close()  # without a warning
        raise TypeError(f"the handler returned {result!r}, of which nothing has run")


def _text(error: BaseException | None) -> str:
    return "" if error is None else "".join(traceback.format_exception_only(error)).strip()
