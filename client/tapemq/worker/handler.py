"""One handler of an application: a function, and which messages it gets."""

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, NamedTuple

from tapemq.queues.message import Message
from tapemq.queues.outcome import check_returned
from tapemq.queues.settings import QueueSettings, wire_settings
from tapemq.streams.start import Start, wire_start
from tapemq.wire.names import check_name
from tapemq.worker.rules import Rules, Undecodable

Decode = Callable[[bytes], Any]


class Limits(NamedTuple):
    """How many messages at a time in a process. None: the worker's, and twice that."""

    concurrency: int | None = None
    prefetch: int | None = None


class Handler(NamedTuple):
    """See ``App.handler``."""

    function: Callable[..., Any]
    topic: str
    group: str
    limits: Limits
    start: Start
    decode: Decode | None
    rules: Rules
    settings: QueueSettings

    @property
    def name(self) -> str:
        """Of the function, for people."""
        return getattr(self.function, "__qualname__", repr(self.function))

    @property
    def is_plain(self) -> bool:
        """Whether it blocks, and so is called in a thread."""
        return not _is_coroutine_function(self.function)

    async def call(self, message: Message, threads: Executor | None) -> None:
        """Handle a message; a plain function does in one of the threads. Raises what it raises."""
        arguments = (message,) if self.decode is None else (self._value(message), message)
        result = (
            self.function(*arguments)
            if threads is None
            else await asyncio.get_running_loop().run_in_executor(
                threads, _call_in_thread, self.function, *arguments
            )
        )
        # Also what a plain function that wraps a coroutine function returns: not to await it would
        # be to ack what was never done.
        if inspect.isawaitable(result):
            result = await result
        check_returned(result)

    def _value(self, message: Message) -> Any:
        if self.decode is None or message.value is None:
            return None
        try:
            return self.decode(message.value)
        except Exception as error:
            raise Undecodable("undecodable") from error


def check_handler(
    topic: str, group: str, limits: Limits, start: Start, settings: QueueSettings
) -> None:
    """Raise ValueError for what no worker could run."""
    for name, number in limits._asdict().items():
        if number is not None and number < 1:
            raise ValueError(f"{name} is at least 1, not {number}")
    check_name("topic", topic)
    check_name("group", group)
    wire_settings(settings)
    wire_start(start)


def _call_in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    # The event loop's futures refuse StopIteration: who waits for one would wait for ever.
    try:
        return function(*arguments)
    except StopIteration as error:
        raise RuntimeError("handler raised StopIteration") from error


def _is_coroutine_function(function: Callable[..., Any]) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004  (an object's method, not a test)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
