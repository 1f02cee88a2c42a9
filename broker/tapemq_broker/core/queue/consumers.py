"""Consumers of all queue groups, by session."""

from typing import NamedTuple

from tapemq_broker.core.effects import SubscriptionKey
from tapemq_broker.core.queue.consumer import Consumer
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.refusal import Refused


class Consuming(NamedTuple):
    """A consumer in its group."""

    group: QueueGroup
    consumer: Consumer


class Consumers:
    """What happens to one session costs the others nothing."""

    def __init__(self) -> None:
        self._by_session: dict[int, dict[SubscriptionKey, Consuming]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_session.values()))

    def get(self, key: SubscriptionKey) -> Consuming | None:
        """The consumer, if it is there."""
        return self._by_session.get(key.session, {}).get(key)

    def existing(self, key: SubscriptionKey) -> Consuming:
        """The same. Raises Refused if it is not there."""
        found = self.get(key)
        if found is None:
            raise Refused("unknown_subscription", f"this session has no queue {key.subscription}")
        return found

    def of_session(self, session: int) -> list[Consuming]:
        """All of a session."""
        return list(self._by_session.get(session, {}).values())

    def add(self, consuming: Consuming) -> None:
        """A consumer comes."""
        key = consuming.consumer.key
        self._by_session.setdefault(key.session, {})[key] = consuming
        consuming.group.add(consuming.consumer)

    def forget(self, key: SubscriptionKey) -> None:
        """A consumer is gone, though its group has it still; nothing, if it is gone already."""
        of_session = self._by_session.get(key.session, {})
        of_session.pop(key, None)
        if not of_session:
            self._by_session.pop(key.session, None)
