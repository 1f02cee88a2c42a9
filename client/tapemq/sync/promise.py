"""Waiting for another thread. Nobody holds the client's lock while waiting."""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Promise(Generic[T]):
    """What one thread sets, once, and others wait for.

    It is set under the client's lock. Waiting can be interrupted (KeyboardInterrupt) and repeated.
    """

    __slots__ = ("_error", "_gate", "_result", "done")

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()
        self._result: T | None = None
        self._error: Exception | None = None
        self.done = False

    def resolve(self, result: T) -> None:
        """Set the result; nothing happens if it is set."""
        if not self.done:
            self._result = result
            self._open()

    def reject(self, error: Exception) -> None:
        """Set an error in its place; nothing happens if it is set."""
        if not self.done:
            self._error = error
            self._open()

    def settle(self, result: T | Exception) -> None:
        """Set what an exchange answers: a message, or an error."""
        if isinstance(result, Exception):
            self.reject(result)
        else:
            self.resolve(result)

    def _open(self) -> None:
        self.done = True
        self._gate.release()

    def wait(self, timeout_s: float) -> bool:
        """Whether it is set, now or within ``timeout_s``."""
        if not self.done and self._gate.acquire(timeout=_allowed(timeout_s)):
            self._gate.release()  # for others that wait
        return self.done

    def result(self) -> T:
        """What was set. Raises the error."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # it is set


def _allowed(timeout_s: float) -> float:
    return min(max(0.0, timeout_s), threading.TIMEOUT_MAX)


class Changes:
    """Something that happens again and again. Used under the client's lock, but for the waiting."""

    def __init__(self) -> None:
        self._waiting: dict[Promise[None], None] = {}

    def next(self) -> Promise[None]:
        """What is set when it happens the next time. Look first, then wait for this."""
        promise: Promise[None] = Promise()
        self._waiting[promise] = None
        return promise

    def forget(self, promise: Promise[None]) -> None:
        """Nobody waits for it any more."""
        self._waiting.pop(promise, None)

    def happened(self) -> None:
        """It did."""
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            for promise in waiting:
                promise.resolve(None)
