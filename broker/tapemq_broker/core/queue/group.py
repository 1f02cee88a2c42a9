"""A queue group: its consumers, its partitions, and who is next."""

from collections import OrderedDict

from tapemq_broker.core.effects import SubscriptionKey
from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.consumer import Consumer
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.queue.turns import LevelTurns, Turns


class QueueGroup:
    """Consumers in order of coming. Those with credit take turns, and so do partitions with work.

    Both stand in lines, so that nobody else is looked at when something happens. With ``levels``
    of priority the highest that has work goes first, always.
    """

    def __init__(self, topic_id: int, name: str, terms: Terms, levels: int = 1) -> None:
        self.topic_id = topic_id
        self.name = name
        self.terms = terms
        self.backlogs: dict[int, Backlog] = {}
        self.consumers: dict[SubscriptionKey, Consumer] = {}
        self._sending = 0
        self._idle: OrderedDict[SubscriptionKey, Consumer] = OrderedDict()
        self._turns: Turns | LevelTurns = Turns() if levels == 1 else LevelTurns(levels)

    @property
    def with_credit(self) -> int:
        """How many consumers could take something."""
        return len(self._idle) + self._sending

    def set_terms(self, terms: Terms) -> None:
        """New settings."""
        self.terms = terms
        for backlog in self.backlogs.values():
            backlog.ledger.terms = terms
            self.wake_backlog(backlog)

    def begin_sending(self, consumer: Consumer, backlog: Backlog, lease_id: int) -> None:
        """A lease is on its way: one at a time from a partition, and to a consumer."""
        consumer.sending = backlog.sending = lease_id
        self._sending += 1

    def end_sending(self, consumer: Consumer, backlog: Backlog, lease_id: int) -> None:
        """It has come, or will not; nothing, if it was not on its way."""
        if backlog.sending == lease_id:
            consumer.sending = backlog.sending = None
            self._sending -= 1

    def add(self, consumer: Consumer) -> None:
        """A consumer comes."""
        self.consumers[consumer.key] = consumer
        self.wake_consumer(consumer)

    def remove(self, consumer: Consumer) -> None:
        """A consumer is gone."""
        del self.consumers[consumer.key]
        self._idle.pop(consumer.key, None)

    def wake_consumer(self, consumer: Consumer) -> None:
        """Let a consumer stand in line, if it can take something."""
        if consumer.sending is None and consumer.has_credit:
            self._idle[consumer.key] = consumer
        else:
            self._idle.pop(consumer.key, None)

    def wake_backlog(self, backlog: Backlog) -> None:
        """Let a partition stand in line, if it has something."""
        if backlog.can_hand_out():
            self._turns.put(backlog)

    def next_match(self) -> tuple[Consumer, Backlog] | None:
        """Who gets something now, and from where."""
        if self.terms.policy.paused:
            return None
        consumer = self._next_consumer()
        backlog = self._turns.next() if consumer is not None else None
        if consumer is None or backlog is None:
            return None
        self._idle.pop(consumer.key)
        return consumer, backlog

    def _next_consumer(self) -> Consumer | None:
        if not self._idle:
            return None
        if self.terms.policy.single_active:
            return self._idle.get(next(iter(self.consumers)))
        return next(iter(self._idle.values()))
