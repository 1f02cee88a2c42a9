"""Commits what is handled, as time goes by and when asked, and hands partitions over."""

import asyncio
import builtins
import logging
from collections.abc import Coroutine
from typing import Any

from tapemq import errors
from tapemq.errors import ConnectionLost, Error, Fenced, Overloaded, again
from tapemq.network.link import Link
from tapemq.streams.assignment import Assignment
from tapemq.streams.subscriber import Subscriber
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")

_RETRY_S = 0.1
_QUIET_S = 2.0
"""How long leaving a block by an exception may take."""


class Committer:
    """The commits of one stream with a group.

    ``automatic``: what is handled is committed as time goes by, and before a partition goes.
    """

    def __init__(self, link: Link, subscriber: Subscriber) -> None:
        self._link = link
        self._subscriber = subscriber
        self._intake = subscriber.intake
        self._interval_s = subscriber.options.commit_interval_s
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def automatic(self) -> bool:
        return self._interval_s is not None

    def start(self) -> None:
        """Begin to commit as time goes by, and to answer revocations."""
        self._subscriber.on_revoke = self._revoked
        if self._interval_s is not None:
            self._start(self._run(self._interval_s))

    def stop(self) -> None:
        """Stop doing so."""
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Committing

    async def _run(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await self._commit_quietly()

    async def _commit_quietly(self) -> None:
        """What fails now is tried again after the next interval, or not ours any more."""
        live = [assignment for assignment in self._pending() if assignment.live]
        for result in await asyncio.gather(*map(self._commit, live), return_exceptions=True):
            if isinstance(result, Exception):
                log.warning("%s is not committed yet: %s", self._subscriber.options.topic, result)

    def _pending(self) -> list[Assignment]:
        intake = self._intake
        return [a for a in intake.assignments.values() if intake.handled(a) > a.committed]

    async def _commit(self, assignment: Assignment) -> None:
        options = self._subscriber.options
        generation, offset = assignment.generation, self._intake.handled(assignment)
        connection = self._link.connection
        if connection is None or not connection.is_open:
            raise ConnectionLost("not connected")
        deadline_ms = int(options.timeout_s * 1000)
        request = m.Commit(
            self._subscriber.topic_id,
            options.group,
            assignment.partition,
            generation,
            offset,
            deadline_ms,
        )
        try:
            await connection.request(request)
        except Fenced:
            if assignment.generation == generation:
                self._intake.forget(assignment)
            raise
        if assignment.generation == generation:
            assignment.committed = max(assignment.committed, offset)

    async def commit(self) -> None:
        """Commit all that is handled, and wait until it is durable.

        Raises Fenced if a partition went to somebody else before that, who handles it again; Error.
        """
        try:
            await self._commit_pending()
            self._intake.check_lost()
        except Fenced:
            self._intake.accept_losses()
            raise

    async def _commit_pending(self) -> None:
        timeout_s = self._subscriber.options.timeout_s
        wanted = [(assignment, self._intake.handled(assignment)) for assignment in self._pending()]
        try:
            async with asyncio.timeout(timeout_s):
                while left := [a for a, offset in wanted if self._intake.owes(a, offset)]:
                    if self._subscriber.failure is not None:
                        raise again(self._subscriber.failure)
                    await self._commit_some([a for a in left if a.live])
        except builtins.TimeoutError:
            raise errors.TimeoutError(
                f"{self._subscriber.options.topic}: not committed within {timeout_s:g} s"
            ) from None

    async def _commit_some(self, live: list[Assignment]) -> None:
        try:
            if live:
                await asyncio.gather(*map(self._commit, live))
            else:  # cut off: it may still be this stream's when it is back
                await self._subscriber.change()
        except (ConnectionLost, Overloaded):  # as a broker that is stopping says
            await asyncio.sleep(_RETRY_S)

    async def finish_quietly(self) -> None:
        """Commit what is handled, unless that takes long."""
        try:
            async with asyncio.timeout(_QUIET_S):
                await self._commit_quietly()
        except builtins.TimeoutError:
            log.warning("%s: the last commit was not confirmed", self._subscriber.options.topic)

    # Handing over

    def _revoked(self, assignment: Assignment) -> None:
        self._start(self._release(assignment, assignment.generation))

    async def _release(self, assignment: Assignment, generation: int) -> None:
        """Wait for the record in hand, commit, and let the partition go."""
        intake = self._intake
        try:
            async with asyncio.timeout_at(assignment.release_by):
                # In a later generation, another Revoke asks for it, if anybody does.
                while assignment.generation == generation and not intake.releasable(assignment):
                    await self._subscriber.change()
        except builtins.TimeoutError:
            log.warning("gave up partition %d with a record in hand", assignment.partition)
        if assignment.generation != generation or not assignment.live:
            return
        try:
            if self.automatic and intake.handled(assignment) > assignment.committed:
                await self._commit_last(assignment, generation)
            await self._hand_over(assignment, generation)
        except Error as error:
            log.warning("partition %d was taken: %s", assignment.partition, error)

    async def _commit_last(self, assignment: Assignment, generation: int) -> None:
        """Others wait for the partition: a broker that refuses this for a moment is asked again."""
        while assignment.generation == generation and assignment.live:
            try:
                await self._commit(assignment)
                break
            except Overloaded:
                again_at = asyncio.get_running_loop().time() + _RETRY_S
                if assignment.release_by is None or again_at > assignment.release_by:
                    raise
                await asyncio.sleep(_RETRY_S)

    async def _hand_over(self, assignment: Assignment, generation: int) -> None:
        connection = self._link.connection
        if connection is not None and connection.is_open:
            request = m.Release(assignment.subscription, assignment.partition, generation)
            if assignment.generation == generation:
                self._intake.forget(assignment)
            await connection.request(request)
