"""Consumers that leave, and what they held."""

from collections.abc import Iterator

from tapemq_broker.core.effects import Effects, Reply, Request
from tapemq_broker.core.queue.chores import Chore
from tapemq_broker.core.queue.consumers import Consumers, Consuming
from tapemq_broker.core.queue.dispatch import Dispatch
from tapemq_broker.core.queue.leases import Held
from tapemq_broker.core.queue.settling import Settling
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import Done


class Departures:
    """Consumers stay in their groups, without credit, until all that they held is given back: with
    single_active, the next one has to wait for that.
    """

    def __init__(self, consumers: Consumers, dispatch: Dispatch, settling: Settling) -> None:
        self._consumers = consumers
        self._dispatch = dispatch
        self._settling = settling

    def session_closed(self, session: int, now_us: int, *, by_us: bool) -> Effects:
        """A connection is gone: what its handlers had begun with counts as crashed, unless it was
        the broker that ended it.
        """
        gone = self._consumers.of_session(session)
        for consuming in gone:
            self._consumers.forget(consuming.consumer.key)
            _end(consuming)
        chores = [self._lose(consuming, None if by_us else now_us) for consuming in gone]
        return self._dispatch.begin(chores)

    def cancel(self, request: Request, consuming: Consuming) -> Effects:
        """Answered once all is given back, which counts as nothing. Raises Refused."""
        if consuming.consumer.leaving:
            raise Refused("unknown_subscription", "this queue is being left already")
        _end(consuming)
        return self._dispatch.begin([self._release(request, consuming)])

    def _lose(self, consuming: Consuming, crashed_us: int | None) -> Chore:
        for held, cost in self._held_by(consuming):
            if crashed_us is None:
                self._settling.release_all(held, self._dispatch.chores.outcome)
            else:
                self._settling.lost(held, crashed_us, self._dispatch.chores.outcome)
            self._dispatch.leases.drop(held)
            yield cost
        self._leave(consuming)

    def _release(self, request: Request, consuming: Consuming) -> Chore:
        for held, cost in self._held_by(consuming):
            self._settling.release_all(held, self._dispatch.chores.outcome)
            self._dispatch.leases.drop(held)
            yield cost
        self._consumers.forget(consuming.consumer.key)
        self._leave(consuming)
        self._dispatch.chores.effects.append(Reply(request, Done()))

    def _held_by(self, consuming: Consuming) -> Iterator[tuple[Held, int]]:
        """Each lease, and how much work it is."""
        for lease_id in list(consuming.consumer.leases):
            held = self._dispatch.leases.get(lease_id)
            if held is not None:
                yield held, held.runs_to_return

    def _leave(self, consuming: Consuming) -> None:
        """For good: with single_active, it is the next one's turn."""
        group, consumer = consuming
        if group.consumers.get(consumer.key) is consumer:  # else its connection broke meanwhile
            group.remove(consumer)
            self._dispatch.chores.outcome.left[group] = None


def _end(consuming: Consuming) -> None:
    consuming.consumer.leaving = True
    consuming.group.wake_consumer(consuming.consumer)
