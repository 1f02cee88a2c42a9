"""Commits what is handled, as time goes by and when asked, and hands partitions over."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from tapemq import errors
from tapemq.errors import ConnectionLost, Error, Fenced, Overloaded, again
from tapemq.network.reader import ignore
from tapemq.streams.assignment import Assignment
from tapemq.sync.link import Link
from tapemq.sync.promise import Promise
from tapemq.sync.shared import Shared, Timer
from tapemq.sync.subscriber import Subscriber
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")

_RETRY_S: Final = 0.1
_QUIET_S: Final = 2.0
"""How long leaving a block by an exception may take."""


class Committer:
    """The commits of one stream with a group. Used under the client's lock, but for commit() and
    finish_quietly().

    ``automatic``: what is handled is committed as time goes by, and before a partition goes.
    """

    def __init__(self, link: Link, shared: Shared, subscriber: Subscriber) -> None:
        self._link = link
        self._shared = shared
        self._subscriber = subscriber
        self._intake = subscriber.intake
        self._interval_s = subscriber.options.commit_interval_s
        self._tick_timer: Timer | None = None
        self._releasing: dict[int, Assignment] = {}

    @property
    def automatic(self) -> bool:
        return self._interval_s is not None

    def start(self) -> None:
        """Begin to commit as time goes by, and to answer revocations."""
        self._subscriber.on_revoke = self._revoked
        self._tick_later()

    def stop(self) -> None:
        """Stop doing so."""
        self._subscriber.on_revoke = ignore
        self._releasing.clear()  # they are gone with the subscriptions
        if self._tick_timer is not None:
            self._tick_timer.cancel()

    def _tick_later(self) -> None:
        if self._interval_s is not None:
            self._tick_timer = self._shared.call_later(self._interval_s, self._tick)

    def _tick(self) -> None:
        self._commit_live(self._log)
        self._tick_later()

    # Committing

    def _pending(self) -> list[Assignment]:
        intake = self._intake
        return [a for a in intake.assignments.values() if intake.handled(a) > a.committed]

    def _commit_live(self, then: Callable[[Error | None], None]) -> int:
        """Ask for the commits that can be asked for now; how many."""
        live = [assignment for assignment in self._pending() if assignment.live]
        return sum(self._commit(assignment, then) for assignment in live)

    def _commit(self, assignment: Assignment, then: Callable[[Error | None], None]) -> bool:
        """Whether it could be asked for; ``then`` gets the error that came, or None."""
        connection = self._link.connection
        if connection is None or not connection.is_open:
            return False
        options = self._subscriber.options
        generation, offset = assignment.generation, self._intake.handled(assignment)
        request = m.Commit(
            self._subscriber.topic_id,
            options.group,
            assignment.partition,
            generation,
            offset,
            int(options.timeout_s * 1000),
        )
        connection.send(request, partial(self._answered, assignment, generation, offset, then))
        return True

    def _answered(
        self,
        assignment: Assignment,
        generation: int,
        offset: int,
        then: Callable[[Error | None], None],
        answer: Any,
    ) -> None:
        error = answer if isinstance(answer, Error) else None
        if assignment.generation == generation:
            if error is None:
                assignment.committed = max(assignment.committed, offset)
            elif isinstance(error, Fenced):
                self._intake.forget(assignment)
        then(error)
        self._subscriber.changes.happened()

    def _log(self, error: Error | None) -> None:
        """What fails now is tried again after the next interval, or not ours any more."""
        if error is not None:
            log.warning("%s is not committed yet: %s", self._subscriber.options.topic, error)

    def commit(self) -> None:
        """Commit all that is handled, and wait until it is durable.

        Raises Fenced if a partition went to somebody else before that, who handles it again; Error.
        """
        try:
            self._commit_pending()
            with self._shared.lock:
                self._intake.check_lost()
        except Fenced:
            with self._shared.lock:
                self._intake.accept_losses()
            raise

    def _commit_pending(self) -> None:
        timeout_s = self._subscriber.options.timeout_s
        until = self._shared.time() + timeout_s
        with self._shared.lock:
            wanted = [(one, self._intake.handled(one)) for one in self._pending()]
        while (round_ := self._next_round(wanted)) is not None:
            if not round_.wait(until - self._shared.time()):
                raise errors.TimeoutError(
                    f"{self._subscriber.options.topic}: not committed within {timeout_s:g} s"
                )
            try:
                round_.result()
            except Overloaded:  # as a broker says that is stopping
                self._link.rest(_RETRY_S)

    def _next_round(self, wanted: list[tuple[Assignment, int]]) -> Promise[None] | None:
        """The answers to all commits that can be asked for now; None: there is nothing to do."""
        with self._shared.lock, self._shared.turn:
            if not any(self._intake.owes(*one) for one in wanted):
                return None
            if self._subscriber.failure is not None:
                raise again(self._subscriber.failure)
            answers = _Answers()
            answers.open = self._commit_live(answers.one)
            # Cut off, it may still be this stream's when it is back.
            return answers.all if answers.open else self._subscriber.changes.next()

    def finish_quietly(self) -> None:
        """Commit what is handled, unless that takes long."""
        answers = _Answers(self._log)
        with self._shared.lock, self._shared.turn:
            answers.open = self._commit_live(answers.one)
            if not answers.open:
                return
        if not answers.all.wait(_QUIET_S):
            log.warning("%s: the last commit was not confirmed", self._subscriber.options.topic)

    # Handing over

    def _revoked(self, assignment: Assignment) -> None:
        assert assignment.release_by is not None
        generation = assignment.generation
        self._releasing[assignment.partition] = assignment
        self._shared.call_at(assignment.release_by, self._give_up, assignment, generation)
        self.look()

    def look(self) -> None:
        """Let go of partitions of which no record is in hand (any more)."""
        for assignment in list(self._releasing.values()):
            if self._intake.releasable(assignment):
                self._release(assignment)

    def _give_up(self, assignment: Assignment, generation: int) -> None:
        is_waiting = self._releasing.get(assignment.partition) is assignment
        if is_waiting and assignment.generation == generation:
            log.warning("gave up partition %d with a record in hand", assignment.partition)
            self._release(assignment)

    def _release(self, assignment: Assignment) -> None:
        """Commit, and let the partition go."""
        del self._releasing[assignment.partition]
        if assignment.release_by is None or not assignment.live:
            return  # it was lost, or assigned to us again
        self._commit_last(assignment, assignment.generation)

    def _commit_last(self, assignment: Assignment, generation: int) -> None:
        if assignment.generation != generation or not assignment.live:
            return  # meanwhile
        hand_over = partial(self._hand_over, assignment, generation)
        wants_commit = self.automatic and self._intake.handled(assignment) > assignment.committed
        if not (wants_commit and self._commit(assignment, hand_over)):
            hand_over(None)

    def _hand_over(self, assignment: Assignment, generation: int, error: Error | None) -> None:
        connection, again_at = self._link.connection, self._shared.time() + _RETRY_S
        release_by = assignment.release_by
        if isinstance(error, Overloaded) and release_by is not None and again_at <= release_by:
            # Others wait for the partition: a broker that refuses this for a moment is asked again.
            self._shared.call_at(again_at, self._commit_last, assignment, generation)
        elif error is not None:
            log.warning("partition %d was taken: %s", assignment.partition, error)
        elif connection is not None and connection.is_open:
            if assignment.generation == generation:
                self._intake.forget(assignment)
            request = m.Release(assignment.subscription, assignment.partition, generation)
            connection.send(request, ignore)


class _Answers:
    """So many answers that are ``open``; ``all`` is set when they have come."""

    def __init__(self, on_error: Callable[[Error], None] | None = None) -> None:
        self.open = 0
        self.all: Promise[None] = Promise()
        self._on_error = on_error or self.raise_

    def one(self, error: Error | None) -> None:
        """One has come."""
        if error is not None:
            self._on_error(error)
        self.open -= 1
        if not self.open:
            self.all.resolve(None)

    def raise_(self, error: Error) -> None:
        """Let who waits have it; but what was lost with the connection is asked for again."""
        if not isinstance(error, ConnectionLost):
            self.all.reject(error)
