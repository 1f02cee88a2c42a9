"""Consumers whose connection is gone, and what they held."""

from collections import deque
from collections.abc import Iterable, Iterator

from tapemq_broker.core.queue.consumers import Consumers, Consuming
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.leases import RUNS_AT_ONCE, Leases
from tapemq_broker.core.queue.outcome import Outcome
from tapemq_broker.core.queue.settling import Settling


class Departures:
    """Consumers stay in their groups, without credit, until all that they held is given back: with
    single_active, the next one has to wait for that.
    """

    def __init__(self, consumers: Consumers, leases: Leases, settling: Settling) -> None:
        self._consumers = consumers
        self._leases = leases
        self._settling = settling
        self._leaving: deque[tuple[Consuming, Iterator[int]]] = deque()

    def begin(self, gone: Iterable[Consuming]) -> None:
        """Nothing is handed out to them any more."""
        for consuming in gone:
            group, consumer = consuming
            self._consumers.forget(consumer.key)
            consumer.credit_records = 0
            group.wake_consumer(consumer)
            self._leaving.append((consuming, iter(list(consumer.leases))))

    def step(self, now_us: int, outcome: Outcome) -> list[QueueGroup]:
        """Give some of what they held back, more with the next ticks; groups that a consumer has
        left for good."""
        left: list[QueueGroup] = []
        done = 0
        while self._leaving and done < RUNS_AT_ONCE:
            (group, consumer), lease_ids = self._leaving[0]
            for lease_id in lease_ids:
                held = self._leases.get(lease_id)
                if held is not None:
                    done += held.runs_to_return
                    self._settling.lost(held, now_us, outcome)
                    self._leases.drop(held)
                if done >= RUNS_AT_ONCE:
                    break
            else:
                self._leaving.popleft()
                group.remove(consumer)
                left.append(group)
        return left
