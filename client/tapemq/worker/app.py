"""The application that `tapemq worker` runs."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar, Unpack

from tapemq.client import Client
from tapemq.errors import Closed
from tapemq.queues.outcome import Exceptions, check_exceptions, check_function
from tapemq.queues.settings import QueueSettings
from tapemq.streams.start import Start
from tapemq.worker.handler import Decode, Handler, Limits, check_handler
from tapemq.worker.rules import Rules

Function = TypeVar("Function", bound=Callable[..., Any])
Lifespan = Callable[[Client], AbstractAsyncContextManager[Any]]


class App:
    """Handlers of messages; ``tapemq worker module:app`` runs them.

    app = tapemq.App()

    @app.handler("orders", group="billing", reject_on=ValueError)
    async def bill(message):
        ...

    Args:
        lifespan: called with the client in each process; handlers run within the asynchronous
            context manager that it returns.
    """

    def __init__(self, *, lifespan: Lifespan | None = None) -> None:
        self._lifespan = lifespan
        self._handlers: list[Handler] = []
        self._client: Client | None = None

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """In the order of their definition."""
        return tuple(self._handlers)

    @property
    def client(self) -> Client:
        """The worker's client, for handlers that publish. Raises Closed when no worker runs."""
        if self._client is None:
            raise Closed("the application is not running: tapemq worker runs it")
        return self._client

    def handler(
        self,
        topic: str,
        *,
        group: str,
        concurrency: int | None = None,
        prefetch: int | None = None,
        start: Start = "earliest",
        decode: Decode | None = None,
        retry_on: Exceptions = Exception,
        reject_on: Exceptions = (),
        ignore: Exceptions = (),
        **settings: Unpack[QueueSettings],
    ) -> Callable[[Function], Function]:
        """Let a function handle the messages of a group; the function itself stays as it is.

        A coroutine function runs in the event loop, a plain one in a thread. It is called with the
        Message, or, with ``decode``, with the decoded value and the Message. When it returns, the
        message is acked. An exception that is in ``ignore`` acks, too; tapemq.Reject and one in
        ``reject_on``, or not in ``retry_on``, make it dead; tapemq.Retry lets it come again after
        its delay, any other by the group's policy.

        Args:
            topic, group, start, settings: see ``Client.queue``.
            concurrency: so many messages at a time in each process; by default the worker's.
            prefetch: so many messages may be held in each process; by default twice as many.
            decode: makes a value of the message's bytes, such as json.loads; what it refuses is
                dead. It is not called for a tombstone: its value is None.
            retry_on, reject_on, ignore: exception classes, or tuples of them.

        Raises:
            ValueError: an argument is out of its range, or the group of the topic has a handler.
            TypeError: the function is a generator, or takes no such arguments; exception classes
                are none.
        """
        check_exceptions(retry_on=retry_on, reject_on=reject_on, ignore=ignore)
        rules = Rules(retry_on, reject_on, ignore)
        limits = Limits(concurrency, prefetch)
        if any((known.topic, known.group) == (topic, group) for known in self._handlers):
            raise ValueError(f"group {group!r} of topic {topic!r} has a handler already")

        def register(function: Function) -> Function:
            check_function(function, awaited=True, arguments=1 if decode is None else 2)
            handler = Handler(function, topic, group, limits, start, decode, rules, settings)
            self._handlers.append(handler)
            return function

        check_handler(topic, group, limits, start, settings)
        return register

    def within(self, client: Client) -> AbstractAsyncContextManager[Any]:
        """What handlers run in: the application has the client from here on."""
        self._client = client
        return nullcontext() if self._lifespan is None else self._lifespan(client)
