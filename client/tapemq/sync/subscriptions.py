"""Keeps a reader's subscriptions alive without asyncio: subscribes, and again after each loss.

A reader that cannot get an answer says so in the log and asks again; one that cannot go on fails.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from tapemq.errors import ConnectionLost, Error, IndeterminateError, again
from tapemq.network.reader import LEAVE_S, Reader
from tapemq.sync.connection import Connection
from tapemq.sync.errand import Errand, Steps
from tapemq.sync.link import Link
from tapemq.sync.promise import Changes, Promise
from tapemq.sync.shared import Shared, Timer
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")


class Subscriptions(Reader[Connection]):
    """The subscriptions of one reader, which the thread of its client keeps alive.

    ``changes``: something was pushed, has been subscribed or has failed. ``is_subscribed``: all
    subscriptions are made. Used under the client's lock, but for open(), wait_for() and leave().
    """

    def __init__(self, link: Link, shared: Shared, topic: str, timeout_s: float, kind: str) -> None:
        super().__init__(link, topic, timeout_s, kind, "with")
        self.changes = Changes()
        self._link: Link = link
        self._shared = shared
        self._errand: Errand | None = None
        self._late: Timer | None = None
        self.is_subscribed = False

    # Opening and closing

    def open(self) -> None:
        """Find the topic, creating it if that is allowed, and subscribe. Raises Error."""
        topic = self._link.call(m.DescribeTopic(self._name, create=True), self._timeout_s)
        try:
            with self._shared.lock, self._shared.turn:
                self._topic = topic
                self.failure = None
                self._link.listen(self)
                self.subscribe()
            self.wait_for(lambda: self.is_subscribed)
        except BaseException:
            with self._shared.lock, self._shared.turn:
                self.close()
            raise

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        """Wait for what a push or an answer changes. Not to be called under the lock.

        Raises what the reader fails with, or ConnectionLost if it takes too long.
        """
        until = self._shared.time() + self._timeout_s
        while (change := self._change_unless(is_so)) is not None:
            if not change.wait(until - self._shared.time()):
                raise self._too_late()

    def _change_unless(self, is_so: Callable[[], bool]) -> Promise[None] | None:
        with self._shared.lock, self._shared.turn:
            if self.failure is not None:
                raise again(self.failure)
            return None if is_so() else self.changes.next()

    def subscribe(self) -> None:
        """Make all subscriptions, as positions and options are now, instead of those there are."""
        self.is_subscribed = False
        connection = self._link.connected()
        if connection is not None:
            self._start(connection, self._steps(connection))

    def leave(self) -> None:
        """Unsubscribe, if there is a connection, and wait for that if it does not take long.

        All is said before it waits, so that who is interrupted meanwhile has left, too.
        """
        left: Promise[None] = Promise()
        with self._shared.lock, self._shared.turn:
            connection = self._link.connection
            if connection is None or not connection.is_open:
                return
            self._drop_subscriptions(connection, lambda: left.resolve(None))
        left.wait(LEAVE_S)

    def after_fork(self, error: Error) -> None:
        """This process is a child: the subscriptions are the parent's."""
        self.failure = error
        self._subscriptions.clear()
        self.changes = Changes()

    def _progressed(self) -> None:
        self.changes.happened()

    # Following the link

    def link_up(self, connection: Connection) -> None:
        """Subscribe again."""
        self._start(connection, self._steps_again(connection))

    def _start(self, connection: Connection, steps: Steps) -> None:
        self._stop()
        self.is_subscribed = False
        self._errand = Errand(connection, steps, self._done)
        self._late = self._shared.call_later(self._timeout_s, self._is_late)
        self._errand.start()

    def _stop(self) -> None:
        if self._errand is not None:
            self._errand.stop()
        if self._late is not None:
            self._late.cancel()

    def _done(self, error: Error | None) -> None:
        if self._late is not None:
            self._late.cancel()
        if error is None:
            self.is_subscribed = True
            log.info("reading %s", self._name)
            self.changes.happened()
        elif isinstance(error, ConnectionLost):
            pass  # link_up comes
        elif error.retryable or isinstance(error, IndeterminateError):
            self._late = self._shared.call_later(self._heed(error), self._again)
        elif not self._gives_in(error):
            self.fail(error)

    def _is_late(self) -> None:
        log.warning("no answer: cannot read %s; asking again", self._name)
        self._again()

    def _again(self) -> None:
        connection = self._link.connection
        if self.failure is None and connection is not None and connection.is_open:
            self.link_up(connection)

    def _steps_again(self, connection: Connection) -> Steps:
        self._describe_again((yield m.DescribeTopic(self._name)))
        yield from self._steps(connection)

    def _steps(self, connection: Connection) -> Steps:
        self._drop_subscriptions(connection)
        self._cut_off()
        yield from self._make(connection, self._plan())

    def _make(self, connection: Connection, plan: Sequence[Any]) -> Steps:
        for request in plan:
            yield self._number(connection, request)
