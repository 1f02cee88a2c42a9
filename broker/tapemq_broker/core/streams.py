"""Commands on subscriptions, and what becomes of their deliveries."""

from collections.abc import Iterable
from typing import NamedTuple

from tapemq.batch import LogId
from tapemq_broker.core.effects import (
    Deliver,
    Detach,
    Effects,
    Reply,
    Request,
    SubscriptionKey,
)
from tapemq_broker.core.generations import Generations
from tapemq_broker.core.group import StreamGroup
from tapemq_broker.core.positions import Positions, done_when_put
from tapemq_broker.core.queue.consumers import Consumers
from tapemq_broker.core.refusal import Refusal, Refused
from tapemq_broker.core.results import Done
from tapemq_broker.core.sharing import Sharing
from tapemq_broker.core.start import Start
from tapemq_broker.core.subscription import Subscription
from tapemq_broker.core.subscriptions import Subscriptions, pump
from tapemq_broker.core.topic import Topic
from tapemq_broker.core.topics import Topics


class Subscribe(NamedTuple):
    """A wish to read. ``group`` "" is none; ``partitions`` empty are all (only without group)."""

    key: SubscriptionKey
    topic_id: int
    group: str
    member: str
    start: Start
    partitions: list[int]
    hold: bool
    credit_records: int
    credit_bytes: int

    def subscription(self) -> Subscription:
        """The subscription that is wished for."""
        return Subscription(
            self.key,
            self.topic_id,
            self.group or None,
            self.member,
            self.credit_records,
            self.credit_bytes,
            reads_all=not self.partitions,
        )

    def repeats(self, known: Subscription) -> bool:
        """Whether this is a second try to subscribe as the same member."""
        mine = (self.topic_id, self.group, self.member)
        return bool(self.member) and mine == (known.topic_id, known.group, known.member)


class Streams:
    """All reading of a broker."""

    def __init__(
        self,
        topics: Topics,
        subscriptions: Subscriptions,
        generations: Generations,
        positions: Positions,
        sharing: Sharing,
        consumers: Consumers,
    ) -> None:
        self._topics = topics
        self._subscriptions = subscriptions
        self._generations = generations
        self._positions = positions
        self._sharing = sharing
        self._consumers = consumers

    def __len__(self) -> int:
        return len(self._subscriptions)

    def __contains__(self, key: SubscriptionKey) -> bool:
        return self._subscriptions.get(key) is not None

    def count(self, session: int) -> int:
        """How many subscriptions a session has."""
        return len(self._subscriptions.of_session(session))

    def subscribe(self, request: Request, wish: Subscribe, now: float) -> Effects:
        """Begin to read; Assign effects say what, Detach effects what cannot be read.

        The name of a member that is still there replaces it: the stream has come back before its
        old connection was given up, or never got the answer to its first try.
        """
        topic = self._topics.get(wish.topic_id)
        known = self._subscriptions.get(wish.key)
        is_queue = self._consumers.get(wish.key) is not None
        if is_queue or (known is not None and not wish.repeats(known)):
            raise Refused("bad_request", f"subscription {wish.key.subscription} exists already")
        if wish.group:
            return self._join(request, topic, wish, now)
        return self._read(request, topic, wish)

    def _join(self, request: Request, topic: Topic, wish: Subscribe, now: float) -> Effects:
        if wish.partitions:
            raise Refused("bad_request", "a group shares all partitions; name none")
        positions = self._positions.to_open(topic, wish.group, wish.start, wish.hold)

        def join(group: StreamGroup) -> Effects:
            shares: Effects = []
            self._sharing.join(topic, group, wish.subscription(), now, shares)
            if not positions and not wish.hold:
                return [Reply(request, Done()), *shares]
            # Done means that what was changed is on disk. Reading need not wait for that.
            return [*shares, done_when_put(topic, request)]

        return self._positions.move(request, topic, wish.group, positions, join)

    def _read(self, request: Request, topic: Topic, wish: Subscribe) -> Effects:
        if wish.hold:
            raise Refused("bad_request", "hold needs a group: without one, no position is kept")
        partitions = [topic.partition(number) for number in dict.fromkeys(wish.partitions)]
        for partition in partitions:
            partition.check_usable()
        partitions = partitions or topic.partitions
        offsets = [wish.start.resolve(partition) for partition in partitions]
        self._subscriptions.add(wish.subscription())
        effects: Effects = [Reply(request, Done())]
        for partition, offset in zip(partitions, offsets, strict=True):
            generation = self._generations.next()
            self._subscriptions.begin(wish.key, partition, generation, offset, 0, effects)
        return effects

    def grown(self, topic: Topic, first_partition: int, now: float) -> Effects:
        """A topic has more partitions, from ``first_partition`` on."""
        effects: Effects = []
        for group in topic.groups.values():
            self._sharing.share(topic, group, now, effects)
        for subscription in self._subscriptions.of_topic(topic.info.topic_id):
            if subscription.group is None and subscription.reads_all:
                for partition in topic.partitions[first_partition:]:
                    generation = self._generations.next()
                    self._subscriptions.begin(
                        subscription.key, partition, generation, 0, 0, effects
                    )
        return effects

    def readers(self, log: LogId) -> list[SubscriptionKey]:
        """Who reads a log now."""
        return list(self._subscriptions.reading(log))

    def visible(self, log: LogId, readers: Iterable[SubscriptionKey]) -> Effects:
        """More of a log may be delivered to these readers; those that are gone do not matter."""
        effects: Effects = []
        reading = self._subscriptions.reading(log)
        for key in readers:
            subscription = reading.get(key)
            if subscription is not None:
                subscription.wake(subscription.readers[log.partition])
                pump(subscription, effects)
        return effects

    def credit(self, key: SubscriptionKey, records: int, size_bytes: int) -> Effects:
        """The client can take more. Credit for a subscription that has just ended is void."""
        effects: Effects = []
        subscription = self._subscriptions.get(key)
        if subscription is not None:
            subscription.grant(records, size_bytes)
            pump(subscription, effects)
        return effects

    def is_wanted(self, delivery: Deliver) -> bool:
        """Whether a Deliver that was put off is still to be carried out; if not, it is void."""
        subscription = self._subscriptions.get(delivery.key)
        return subscription is not None and subscription.is_sending(
            delivery.log.partition, delivery.generation
        )

    def delivered(
        self,
        key: SubscriptionKey,
        partition: int,
        generation: int,
        *,
        next_offset: int,
        records: int,
        size_bytes: int,
    ) -> Effects:
        """A Deliver was carried out."""
        effects: Effects = []
        subscription = self._subscriptions.get(key)
        if subscription is not None:
            subscription.settle(partition, generation, next_offset, records, size_bytes)
            pump(subscription, effects)
        return effects

    def undeliverable(
        self, key: SubscriptionKey, partition: int, generation: int, reason: Refusal
    ) -> Effects:
        """A Deliver met damage: this reader ends here, and says so; others go on."""
        subscription = self._subscriptions.get(key)
        if subscription is None or not subscription.is_sending(partition, generation):
            return []
        effects: Effects = [Detach(key, partition, generation, reason)]
        self._subscriptions.stop(key, partition, effects)
        return effects

    def release(
        self, request: Request, key: SubscriptionKey, partition: int, generation: int, now: float
    ) -> Effects:
        """A member lets go of a partition."""
        subscription = self._existing(key)
        topic = self._topics.get(subscription.topic_id)
        if subscription.group is None:
            raise Refused("bad_request", "a reader without a group has nothing to release")
        group = topic.group(subscription.group)
        group.release(key, partition, generation)
        effects: Effects = [Reply(request, Done())]
        self._subscriptions.stop(key, partition, effects)
        self._sharing.share(topic, group, now, effects)
        return effects

    def unsubscribe(self, request: Request, key: SubscriptionKey, now: float) -> Effects:
        """Stop reading."""
        effects: Effects = []
        self._end([self._existing(key)], now, effects)
        effects.append(Reply(request, Done()))
        return effects

    def session_closed(self, session: int, now: float) -> Effects:
        """A connection is gone, and its subscriptions with it."""
        effects: Effects = []
        self._end(self._subscriptions.of_session(session), now, effects)
        return effects

    def _end(self, subscriptions: list[Subscription], now: float, effects: Effects) -> None:
        """End subscriptions, all of them before anything of theirs is given to others."""
        left: dict[tuple[int, str], list[SubscriptionKey]] = {}
        for subscription in subscriptions:
            self._subscriptions.remove(subscription.key)
            if subscription.group is not None:
                place = (subscription.topic_id, subscription.group)
                left.setdefault(place, []).append(subscription.key)
        for (topic_id, group_name), keys in left.items():
            topic = self._topics.get(topic_id)
            self._sharing.leave(topic, topic.group(group_name), keys, now, effects)

    def topic_deleted(self, topic: Topic) -> Effects:
        """End all reading of a topic that is not among the topics any more."""
        gone = Refusal("unknown_topic", f"topic {topic.info.name!r} was deleted")
        effects: Effects = []
        for subscription in self._subscriptions.of_topic(topic.info.topic_id):
            self._subscriptions.remove(subscription.key)
            effects.append(Detach(subscription.key, 0, 0, gone))
        return effects

    def _existing(self, key: SubscriptionKey) -> Subscription:
        subscription = self._subscriptions.get(key)
        if subscription is None:
            raise Refused(
                "unknown_subscription", f"this session has no subscription {key.subscription}"
            )
        return subscription
