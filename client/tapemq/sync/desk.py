"""Where a queue's messages are settled without asyncio, by any thread."""

import logging
from collections.abc import Callable
from typing import Any

from tapemq.queues.confirmation import lease_lost, not_extended, unconfirmed
from tapemq.queues.intake import QueueIntake
from tapemq.queues.lease import Lease
from tapemq.queues.ledger import DRAIN_S, GATHER_S, Ledger
from tapemq.queues.verdict import Verdict
from tapemq.sync.link import Link
from tapemq.sync.promise import Changes, Promise
from tapemq.sync.shared import Shared
from tapemq.wire import messages as m
from tapemq.wire.entries import Tokens, pack_tokens

log = logging.getLogger("tapemq.client")


class Desk(Ledger):
    """The ledger of a queue; see there. The reader's thread says what was gathered, and renews
    leases while handlers are busy.

    What handlers call takes the client's lock by itself. What is done for every message takes no
    ``turn``: an interrupt in the middle of it leaves a message that comes again, nothing worse.
    All else is called under the lock.
    """

    def __init__(
        self, link: Link, shared: Shared, intake: QueueIntake, name: str, timeout_s: float
    ) -> None:
        super().__init__(link, shared, intake, name, _ignore)
        self._shared = shared
        self._timeout_s = timeout_s
        self._changes = Changes()

    def _progressed(self) -> None:
        self._changes.happened()

    def schedule(self) -> None:
        """Have the reader's thread say all in a moment."""
        if not self.scheduled:
            self._flushing = self._shared.call_later(GATHER_S, self.flush)
            self.scheduled = True

    # What handlers do

    def begin(self) -> None:
        """A process() block begins."""
        with self._shared.lock:
            self.processing += 1

    def settle(self, verdict: Verdict, lease: Lease, offset: int) -> None:
        with self._shared.lock:
            super().settle(verdict, lease, offset)

    def finish(self, verdict: Verdict, lease: Lease, offset: int) -> None:
        with self._shared.lock:
            super().finish(verdict, lease, offset)

    def settle_all(self, verdict: Verdict, lease: Lease, offsets: range) -> None:
        with self._shared.lock:
            super().settle_all(verdict, lease, offsets)

    def confirm(self, verdict: Verdict, lease: Lease, offsets: range) -> None:
        """Settle, and wait until it is on disk. Raises LeaseLost, IndeterminateError."""
        waiting: Promise[None] = Promise()
        with self._shared.lock, self._shared.turn:
            if not self._settle_for(verdict, lease, offsets, waiting.settle):
                return  # a batch of which each message was settled before
        if not waiting.wait(self._timeout_s):
            raise unconfirmed(self._timeout_s)
        waiting.result()

    def extend(self, lease: Lease, offset: int, lease_ms: int) -> None:
        """Hold a message for longer. Raises LeaseLost, IndeterminateError."""
        answer: Promise[Any] = Promise()
        request = m.Extend(lease.subscription, lease_ms, int(self._timeout_s * 1000))
        with self._shared.lock, self._shared.turn:
            connection = self._connection()
            if connection is None or offset not in lease.held:
                raise lease_lost(offset)
            payload = pack_tokens([(lease.lease_id, offset, 1)])
            connection.send(request, answer.settle, payload)
        if not answer.wait(self._timeout_s):
            raise not_extended(self._timeout_s)
        if answer.result().message.lost:
            with self._shared.lock, self._shared.turn:
                self.lose([Tokens(lease.lease_id, offset, 1)], "expired")
            raise lease_lost(offset)

    # The end

    def drain(self) -> None:
        """Once stopped: wait until process() blocks have ended and all is on disk; not to be called
        under the lock.

        What is held then is given back by unsubscribing.
        """
        until = self._shared.time() + DRAIN_S
        try:
            if not (
                self._wait_until(lambda: not self.processing, until)
                and self._wait_until(lambda: not self._unanswered, until)
            ):
                log.warning(
                    "%s: left with handlers at work, or unconfirmed settlements", self._name
                )
        finally:
            with self._shared.lock, self._shared.turn:
                self.flush()

    def _wait_until(self, is_so: Callable[[], bool], until: float) -> bool:
        while True:
            with self._shared.lock, self._shared.turn:
                self.flush()
                if is_so():
                    return True
                change = self._changes.next()
            if not change.wait(until - self._shared.time()):
                return False

    def after_fork(self) -> None:
        """This process is a child: the leases are the parent's."""
        self._changes = Changes()
        self._waiters.clear()
        self._refused.clear()
        self._intake.cut_off()


def _ignore(lease_s: float) -> None:
    """The reader's thread renews: nobody else has to watch."""
