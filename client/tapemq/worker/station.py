"""Where one handler of an application works in this process."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from tapemq.client import Client
from tapemq.queues.message import Message
from tapemq.queues.outcome import Reject, Retry
from tapemq.queues.queue import Queue
from tapemq.queues.verdict import ACK, Verdict
from tapemq.worker.frames import own_part
from tapemq.worker.handler import Handler

log = logging.getLogger("tapemq.worker")

_SAID: Final = {"ack": "done, ignoring", "nack": "failed", "reject": "dead"}


class _Threads(ThreadPoolExecutor):
    """Knows which calls have not come back, also once nobody waits for them any more."""

    def __init__(self, count: int, name: str) -> None:
        super().__init__(count, name)
        self.calls: set[Future[Any]] = set()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        call = super().submit(function, *args, **kwargs)
        self.calls.add(call)
        call.add_done_callback(self.calls.discard)
        return call


class Station:
    """Takes the messages of one handler, and settles them by how it ends."""

    def __init__(self, handler: Handler, default_concurrency: int) -> None:
        self._handler = handler
        self._concurrency = handler.limits.concurrency or default_concurrency
        # Not the event loop's threads: of those there may be fewer.
        self._threads = _Threads(self._concurrency, handler.name) if handler.is_plain else None
        self._queue: Queue | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.in_hand = 0
        """How many messages are being handled."""

    @property
    def calls(self) -> set[Future[Any]]:
        """Calls of the handler, in threads, that have not come back."""
        return set() if self._threads is None else set(self._threads.calls)

    def begin(self, client: Client) -> asyncio.Task[None]:
        """Work in a task of its own, until stop()."""
        self._task = asyncio.create_task(self._run(client))
        return self._task

    def stop(self) -> None:
        """Take nothing more; the task ends when the handlers at work do."""
        self._stopping = True
        if self._queue is not None:
            self._queue.stop()
        elif self._task is not None:
            self._task.cancel()

    async def _run(self, client: Client) -> None:
        try:
            await self._consume(client)
        finally:
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)

    async def _consume(self, client: Client) -> None:
        handler = self._handler
        async with client.queue(
            handler.topic,
            group=handler.group,
            start=handler.start,
            prefetch=handler.limits.prefetch or 2 * self._concurrency,
            **handler.settings,
        ) as queue:
            self._queue = queue
            log.info(
                "%s takes messages of %s, group %s", handler.name, handler.topic, handler.group
            )
            await queue.run(self._handle, concurrency=self._concurrency)

    async def _handle(self, message: Message) -> None:
        self.in_hand += 1
        try:
            await self._handler.call(message, self._threads)
        except (asyncio.CancelledError, GeneratorExit):
            raise  # the worker ends, not only the handler
        except BaseException as error:
            verdict = self._handler.rules.verdict(error)
            await message._settle(verdict, False)
            _say(message, verdict, error)
        else:
            log.debug("%s: done", _place(message))
        finally:
            self.in_hand -= 1


def _place(message: Message) -> str:
    return f"{message.topic} {message.partition}:{message.offset} attempt {message.attempt}"


def _say(message: Message, verdict: Verdict, error: BaseException) -> None:
    """Log how it ended; with a traceback unless the handler itself has chosen this end."""
    level = {"ack": logging.INFO, "nack": logging.WARNING}.get(verdict.verb, logging.ERROR)
    chosen = verdict is ACK or isinstance(error, Retry | Reject)
    log.log(
        level,
        "%s: %s: %s",
        _place(message),
        _SAID[verdict.verb],
        _described(verdict, error),
        exc_info=None if chosen else own_part(error),
    )


def _described(verdict: Verdict, error: BaseException) -> str:
    if isinstance(error, Retry | Reject):
        return f"{verdict.reason}: {verdict.error}" if verdict.error else verdict.reason
    return f"{type(error).__name__}: {error}"
