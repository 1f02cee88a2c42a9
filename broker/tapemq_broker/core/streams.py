"""Subscriptions: who reads what, from where, and what is sent next."""

from typing import NamedTuple

from tapemq.batch import LogId
from tapemq_broker.core.effects import (
    Assign,
    Detach,
    Effects,
    Reply,
    Request,
    SubscriptionKey,
)
from tapemq_broker.core.members import Members
from tapemq_broker.core.refusal import Refusal, Refused
from tapemq_broker.core.results import Done
from tapemq_broker.core.start import Start
from tapemq_broker.core.subscription import Reader, Subscription
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


class Streams:
    """All subscriptions of a broker. Groups' membership is in Members."""

    def __init__(self, topics: Topics, members: Members) -> None:
        self._topics = topics
        self._members = members
        self._subscriptions: dict[SubscriptionKey, Subscription] = {}
        # Who may have to be told when a log grows; a dict keeps the order of coming.
        self._readers: dict[LogId, dict[SubscriptionKey, Subscription]] = {}

    def __len__(self) -> int:
        return len(self._subscriptions)

    def count(self, session: int) -> int:
        """How many subscriptions a session has."""
        return sum(key.session == session for key in self._subscriptions)

    def subscribe(self, request: Request, wish: Subscribe, now: float) -> Effects:
        """Begin to read; Assign effects say what."""
        topic = self._topics.get(wish.topic_id)
        if wish.key in self._subscriptions:
            raise Refused("bad_request", f"subscription {wish.key.subscription} exists already")
        subscription = Subscription(
            wish.key,
            wish.topic_id,
            wish.group or None,
            wish.member,
            wish.credit_records,
            wish.credit_bytes,
        )
        if wish.group:
            return self._join(request, topic, subscription, wish, now)
        readers = self._free_readers(topic, wish)
        self._subscriptions[wish.key] = subscription
        effects: Effects = [Reply(request, Done())]
        for reader in readers:
            effects.append(
                Assign(wish.key, reader.partition.number, reader.generation, reader.position, 0)
            )
            self._attach(subscription, reader, effects)
        return effects

    def _free_readers(self, topic: Topic, wish: Subscribe) -> list[Reader]:
        numbers = wish.partitions or range(len(topic.partitions))
        partitions = [topic.partition(number) for number in numbers]
        for partition in partitions:
            partition.check_usable()
        generation = self._members.next_generation()
        return [Reader(p, generation, wish.start.resolve(p)) for p in partitions]

    def _join(
        self,
        request: Request,
        topic: Topic,
        subscription: Subscription,
        wish: Subscribe,
        now: float,
    ) -> Effects:
        if wish.partitions:
            raise Refused("bad_request", "a group shares all partitions; name none")
        effects: Effects = []
        group = self._members.open_group(topic, wish.group, wish.start, wish.hold, effects)
        before = group.find_member(wish.member) if wish.member else None
        if before is not None:  # the same stream, come back before its old connection was given up
            self._drop(before, now, effects)
        self._subscriptions[wish.key] = subscription
        group.join(wish.key, wish.member)
        effects.append(Reply(request, Done()))
        self._share(topic, wish.group, now, effects)
        return effects

    def _share(self, topic: Topic, group_name: str, now: float, effects: Effects) -> None:
        """Share a group's partitions anew; stop and start readers accordingly."""
        group = topic.groups.get(group_name)
        if group is None:
            return
        for partition, key in self._members.share(topic, group, now, effects):
            self._detach(self._subscriptions[key], partition)
        for partition, key, generation in self._members.assign_free(topic, group, effects):
            position = group.positions[partition].cursor
            reader = Reader(topic.partitions[partition], generation, position)
            self._attach(self._subscriptions[key], reader, effects)

    def _attach(self, subscription: Subscription, reader: Reader, effects: Effects) -> None:
        subscription.readers[reader.partition.number] = reader
        self._readers.setdefault(reader.partition.log, {})[subscription.key] = subscription
        self._pump(subscription, reader, effects)

    def _detach(self, subscription: Subscription, partition: int) -> None:
        reader = subscription.readers.pop(partition, None)
        if reader is None:
            return
        others = self._readers[reader.partition.log]
        del others[subscription.key]
        if not others:
            del self._readers[reader.partition.log]

    def _pump(self, subscription: Subscription, reader: Reader, effects: Effects) -> None:
        delivery = subscription.next_delivery(reader)
        if delivery is not None:
            effects.append(delivery)

    def _pump_all(self, subscription: Subscription, effects: Effects) -> None:
        for reader in subscription.readers.values():
            self._pump(subscription, reader, effects)

    def visible(self, log: LogId) -> Effects:
        """More of a log may be delivered."""
        effects: Effects = []
        for subscription in self._readers.get(log, {}).values():
            self._pump(subscription, subscription.readers[log.partition], effects)
        return effects

    def credit(self, key: SubscriptionKey, records: int, size_bytes: int) -> Effects:
        """The client can take more. Credit for a subscription that has just ended is void."""
        effects: Effects = []
        subscription = self._subscriptions.get(key)
        if subscription is not None:
            subscription.grant(records, size_bytes)
            self._pump_all(subscription, effects)
        return effects

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
        if subscription is None:
            return effects
        subscription.spend(records, size_bytes)
        reader = subscription.readers.get(partition)
        if reader is not None and reader.generation == generation:
            reader.position = next_offset
            reader.busy = False
        # Whoever else waited for a turn (credit is shared by the partitions) is pumped too.
        self._pump_all(subscription, effects)
        return effects

    def undeliverable(
        self, key: SubscriptionKey, partition: int, generation: int, reason: Refusal
    ) -> Effects:
        """A Deliver met damage: this reader ends here, and says so; others go on."""
        subscription = self._subscriptions.get(key)
        reader = subscription.readers.get(partition) if subscription else None
        if subscription is None or reader is None or reader.generation != generation:
            return []
        self._detach(subscription, partition)
        return [Detach(key, partition, generation, reason)]

    def release(
        self, request: Request, key: SubscriptionKey, partition: int, generation: int, now: float
    ) -> Effects:
        """A member lets go of a partition."""
        subscription = self._get(key)
        topic = self._topics.get(subscription.topic_id)
        if subscription.group is None:
            raise Refused("bad_request", "a reader without a group has nothing to release")
        topic.group(subscription.group).release(partition, generation)
        self._detach(subscription, partition)
        effects: Effects = [Reply(request, Done())]
        self._share(topic, subscription.group, now, effects)
        return effects

    def unsubscribe(self, request: Request, key: SubscriptionKey, now: float) -> Effects:
        """Stop reading."""
        self._get(key)
        effects: Effects = []
        self._drop(key, now, effects)
        effects.append(Reply(request, Done()))
        return effects

    def session_closed(self, session: int, now: float) -> Effects:
        """A connection is gone, and its subscriptions with it."""
        effects: Effects = []
        for key in [key for key in self._subscriptions if key.session == session]:
            self._drop(key, now, effects)
        return effects

    def _drop(self, key: SubscriptionKey, now: float, effects: Effects) -> None:
        subscription = self._subscriptions.pop(key)
        for partition in list(subscription.readers):
            self._detach(subscription, partition)
        topic = self._topics.by_id.get(subscription.topic_id)
        if subscription.group is not None and topic is not None:
            topic.groups[subscription.group].leave(key)
            self._share(topic, subscription.group, now, effects)

    def topic_deleted(self, topic: Topic) -> Effects:
        """End all reading of a topic."""
        gone = Refusal("unknown_topic", f"topic {topic.info.name!r} was deleted")
        effects: Effects = []
        for key, subscription in list(self._subscriptions.items()):
            if subscription.topic_id != topic.info.topic_id:
                continue
            for number, reader in list(subscription.readers.items()):
                effects.append(Detach(key, number, reader.generation, gone))
                self._detach(subscription, number)
            if not subscription.readers:
                effects.append(Detach(key, 0, 0, gone))
            del self._subscriptions[key]
        return effects

    def moved(self, topic: Topic, group_name: str, partition: int, effects: Effects) -> None:
        """A group was sought elsewhere: whoever reads that partition starts there anew."""
        group = topic.groups[group_name]
        claim = group.claims.get(partition)
        if claim is None or claim.revoked_until is not None:
            return
        subscription = self._subscriptions[claim.owner]
        self._detach(subscription, partition)
        claim.generation = self._members.next_generation()
        at = group.positions[partition]
        effects.append(Assign(claim.owner, partition, claim.generation, at.cursor, at.seek_epoch))
        reader = Reader(topic.partitions[partition], claim.generation, at.cursor)
        self._attach(subscription, reader, effects)

    def share_again(self, topic: Topic, now: float) -> Effects:
        """A topic has more partitions, or a revoked one was not let go in time."""
        effects: Effects = []
        for group in list(topic.groups.values()):
            for partition in group.expired(now):
                del group.claims[partition]
            self._share(topic, group.name, now, effects)
        return effects

    def _get(self, key: SubscriptionKey) -> Subscription:
        try:
            return self._subscriptions[key]
        except KeyError:
            raise Refused(
                "unknown_subscription", f"this session has no subscription {key.subscription}"
            ) from None
