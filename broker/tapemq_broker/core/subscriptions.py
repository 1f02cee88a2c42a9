"""All subscriptions, found by session, by topic, and by the logs that they read."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

from tapemq.batch import LogId
from tapemq_broker.core.effects import Assign, Detach, Effects, SubscriptionKey
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.subscription import Reader, Subscription

Of = TypeVar("Of", bound=Hashable)
_Index = dict[Of, dict[SubscriptionKey, Subscription]]


class Subscriptions:
    """The indexes keep what happens to one topic or session from costing time on all others.

    They are dicts where sets would do, because these keep the order of coming.
    """

    def __init__(self) -> None:
        self._by_session: _Index[int] = {}
        self._by_topic: _Index[int] = {}
        self._by_log: _Index[LogId] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_session.values()))

    def get(self, key: SubscriptionKey) -> Subscription | None:
        """The subscription, if it is there."""
        return self._by_session.get(key.session, {}).get(key)

    def of_session(self, session: int) -> list[Subscription]:
        """All of a session."""
        return list(self._by_session.get(session, {}).values())

    def of_topic(self, topic_id: int) -> list[Subscription]:
        """All that read a topic, or wait to."""
        return list(self._by_topic.get(topic_id, {}).values())

    def reading(self, log: LogId) -> Mapping[SubscriptionKey, Subscription]:
        """All that read a log."""
        return self._by_log.get(log, {})

    def add(self, subscription: Subscription) -> None:
        """A subscription begins."""
        key = subscription.key
        self._by_session.setdefault(key.session, {})[key] = subscription
        self._by_topic.setdefault(subscription.topic_id, {})[key] = subscription

    def remove(self, key: SubscriptionKey) -> None:
        """A subscription ends, and its reading."""
        subscription = self._by_session[key.session][key]
        for partition in list(subscription.readers):
            self._detach(subscription, partition)
        _remove(self._by_session, key.session, key)
        _remove(self._by_topic, subscription.topic_id, key)

    def begin(
        self,
        key: SubscriptionKey,
        partition: Partition,
        generation: int,
        offset: int,
        seek_epoch: int,
        effects: Effects,
    ) -> None:
        """Let a subscription read a partition, and tell it so; or that it is damaged."""
        subscription = self._by_session[key.session][key]
        damage = partition.groups_damage if subscription.group is not None else partition.damage
        if damage:
            reason = Refusal("storage_failed", damage)
            effects.append(Detach(key, partition.number, generation, reason))
            return
        effects.append(Assign(key, partition.number, generation, offset, seek_epoch))
        self._by_log.setdefault(partition.log, {})[key] = subscription
        subscription.attach(Reader(partition, generation, offset))
        pump(subscription, effects)

    def stop(self, key: SubscriptionKey, partition: int, effects: Effects) -> None:
        """Let a subscription read a partition no more, if it did; its others may be next."""
        subscription = self._by_session[key.session][key]
        self._detach(subscription, partition)
        pump(subscription, effects)

    def _detach(self, subscription: Subscription, partition: int) -> None:
        reader = subscription.detach(partition)
        if reader is not None:
            _remove(self._by_log, reader.partition.log, subscription.key)


def pump(subscription: Subscription, effects: Effects) -> None:
    """Send what there is to send."""
    delivery = subscription.next_delivery()
    if delivery is not None:
        effects.append(delivery)


def _remove(index: _Index[Of], of: Of, key: SubscriptionKey) -> None:
    entries = index[of]
    del entries[key]
    if not entries:
        del index[of]
