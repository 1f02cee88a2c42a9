"""Commands on queues: taking records, settling them, and looking after the groups."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

from tapemq.batch import LogId
from tapemq_broker.core.effects import (
    DeliverLease,
    Effects,
    Later,
    Reply,
    ReplyWhenDurable,
    Request,
    SubscriptionKey,
)
from tapemq_broker.core.positions import done_when_put
from tapemq_broker.core.queue.administration import Administration
from tapemq_broker.core.queue.consumer import Consumer
from tapemq_broker.core.queue.consumers import Consumers, Consuming
from tapemq_broker.core.queue.departures import Departures
from tapemq_broker.core.queue.dispatch import Dispatch
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.groups import QueueGroups
from tapemq_broker.core.queue.lease import Run, size, without
from tapemq_broker.core.queue.leases import Leases
from tapemq_broker.core.queue.outcome import Outcome
from tapemq_broker.core.queue.settling import Failure, Settling
from tapemq_broker.core.queue.supply import Supply
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.queue.wish import Consume
from tapemq_broker.core.refusal import Refusal, Refused
from tapemq_broker.core.results import Done, Settled
from tapemq_broker.core.subscriptions import Subscriptions
from tapemq_broker.core.topic import Topic
from tapemq_broker.core.topics import Topics

Token = tuple[int, int, int]
"""Lease id, first offset, count."""

_COUNT_MAX: Final = 2**32 - 1
"""Largest count of a token."""

_GROUPS_AT_ONCE: Final = 200
"""So many are told at once that there is more, at about 6 µs each."""


class Queues(Administration):
    """All taking of records, one by one."""

    def __init__(
        self,
        topics: Topics,
        subscriptions: Subscriptions,
        consumers: Consumers,
        groups_max: int,
        boot_epoch: int,
    ) -> None:
        self._leases = Leases(boot_epoch)
        self._dispatch = Dispatch(self._leases)
        super().__init__(topics, QueueGroups(topics, groups_max, self._dispatch), self._dispatch)
        self._settling = Settling(self._dispatch)
        self._departures = Departures(consumers, self._dispatch, self._settling)
        self._subscriptions = subscriptions
        self._consumers = consumers
        # Logs of which very many groups are being told; True: there is more again.
        self._telling: dict[LogId, bool] = {}

    def __len__(self) -> int:
        return len(self._consumers)

    def __contains__(self, key: SubscriptionKey) -> bool:
        return self._consumers.get(key) is not None

    def count(self, session: int) -> int:
        """How many queues a session takes records from."""
        return len(self._consumers.of_session(session))

    # Consumers

    def consume(self, request: Request, wish: Consume) -> Effects:
        """Begin to take records; the group is made if there is none."""
        topic = self._topics.get(wish.topic_id)
        if not wish.group:
            raise Refused("bad_request", "a queue needs a group")
        if wish.key in self or self._subscriptions.get(wish.key) is not None:
            raise Refused("bad_request", f"subscription {wish.key.subscription} exists already")
        is_new = wish.group not in topic.queue_groups

        def join(group: QueueGroup) -> Effects:
            consumer = Consumer(wish.key, wish.consumer, wish.credit_records, wish.credit_bytes)
            self._consumers.add(Consuming(group, consumer))
            done = done_when_put(topic, request) if is_new else Reply(request, Done())
            effects: Effects = [done]
            self._dispatch.pump(group, effects)
            return effects

        return self.groups.open(request, topic, wish, join)

    def credit(self, key: SubscriptionKey, records: int, size_bytes: int) -> Effects:
        """The client can take more. Credit for a queue that has just ended is void."""
        effects: Effects = []
        found = self._consumers.get(key)
        if found is not None:
            found.consumer.credit_records += records
            found.consumer.credit_bytes += size_bytes
            found.group.wake_consumer(found.consumer)
            self._dispatch.pump(found.group, effects)
        return effects

    def cancel(self, request: Request, key: SubscriptionKey) -> Effects:
        """Take no more; what is still held is given back, and counts as nothing."""
        return self._departures.cancel(request, self._consumers.existing(key))

    def session_closed(self, session: int, now_us: int, *, by_us: bool = False) -> Effects:
        """A connection is gone: what its handlers had begun with counts as crashed, unless it was
        the broker that ended it.
        """
        self._leases.forget_session(session)
        return self._departures.session_closed(session, now_us, by_us=by_us)

    def stalled(self, session: int) -> None:
        """A connection takes no more now: its consumers are passed over."""
        for found in self._consumers.of_session(session):
            found.consumer.stalled = True
            found.group.wake_consumer(found.consumer)

    def resumed(self, session: int) -> Effects:
        """A connection takes more again."""
        effects: Effects = []
        for found in self._consumers.of_session(session):
            found.consumer.stalled = False
            found.group.wake_consumer(found.consumer)
            self._dispatch.pump(found.group, effects)
        return effects

    # Deliveries

    def is_wanted(self, delivery: DeliverLease) -> bool:
        """Whether a DeliverLease that was put off is still to be carried out."""
        return self._leases.get(delivery.lease_id) is not None

    def lease_sent(
        self,
        delivery: DeliverLease,
        *,
        upto: int,
        size_bytes: int,
        now: float,
        now_us: int,
        absent: Sequence[Run] = (),
        expired: Sequence[Run] = (),
        too_old: Sequence[Run] = (),
    ) -> Effects:
        """A DeliverLease was carried out, for records below ``upto``.

        ``absent`` ones are not in the log, ``expired`` and ``too_old`` ones were not sent. It
        costs credit though the lease may be void by now: the client gives it back.
        """
        outcome = Outcome()
        reached = [(first, min(end, upto)) for first, end in delivery.runs if first < upto]
        records = size(reached) - size(absent) - size(expired) - size(too_old)
        held = self._leases.get(delivery.lease_id)
        if held is not None:
            self._dispatch.sent(held, upto, now, outcome)
            self._settling.unsendable(held, absent, expired, too_old, now_us, outcome)
            if delivery.failures + delivery.crashes + delivery.deliveries:
                held.backlog.totals.redelivered += records
            self._leases.drop_if_done(held)
        found = self._consumers.get(delivery.key)
        if found is not None:
            found.consumer.credit_records -= records
            found.consumer.credit_bytes -= size_bytes
            found.group.wake_consumer(found.consumer)
        return self._dispatch.finish(outcome)

    def lease_failed(self, delivery: DeliverLease, reason: Refusal) -> Effects:
        """A DeliverLease met damage: nothing more comes from that partition; others go on."""
        held = self._leases.get(delivery.lease_id)
        if held is None:
            return []
        held.backlog.damage = reason.text
        outcome = Outcome()
        outcome.touch(held.group, held.backlog)
        self._dispatch.unsent(held, 0)
        self._leases.drop(held)
        held.group.wake_consumer(held.consumer)
        return self._dispatch.finish(outcome)

    def visible(self, log: LogId) -> Effects:
        """More of a log may be handed out. Very many groups are told some at a time."""
        if log in self._telling:
            self._telling[log] = True  # those that were told already may be at the end of it
            return []
        topic = self._topics.by_id.get(log.topic_id)
        self._telling[log] = False
        return self._tell(log, iter(list(topic.queue_groups.values()) if topic else ()))

    def _tell(self, log: LogId, groups: Iterator[QueueGroup]) -> Effects:
        outcome = Outcome()
        some = list(islice(groups, _GROUPS_AT_ONCE))
        for group in some:
            backlog = group.backlogs.get(log.partition)
            if backlog is not None:
                outcome.touch(group, backlog)
        effects = self._dispatch.finish(outcome)
        if len(some) == _GROUPS_AT_ONCE:
            return [*effects, Later(partial(self._tell, log, groups))]
        return effects + (self.visible(log) if self._telling.pop(log) else [])

    def keys_read(
        self, log: LogId, group: str, first: int, keys: Sequence[bytes | None]
    ) -> Effects:
        """ReadKeys was carried out: ``keys`` are those of the records from ``first`` on."""
        return self._about_keys(log, group, lambda supply: supply.keys_read(first, keys))

    def keys_unread(self, log: LogId, group: str, first: int, reason: str) -> Effects:
        """ReadKeys met damage. Without its key, a record could overtake others of that key."""
        return self._about_keys(log, group, lambda supply: supply.keys_unread(first, reason))

    def _about_keys(self, log: LogId, group: str, tell: Callable[[Supply], None]) -> Effects:
        topic = self._topics.by_id.get(log.topic_id)
        found = topic.queue_groups.get(group) if topic is not None else None
        outcome = Outcome()
        if found is not None:
            backlog = found.backlogs[log.partition]
            tell(backlog.supply)
            outcome.touch(found, backlog)
        return self._dispatch.finish(outcome)

    # Settlements

    def cost(self, verb: Verb, token: Token) -> int:
        """How much work it is to settle a token: one for all of it, or for each of its records."""
        lease_id, _, count = token
        held = self._leases.get(lease_id)
        by_record = verb in (Verb.NACK, Verb.REJECT) or (held is not None and held.is_by_record)
        return min(count, held.lease.count) if held is not None and by_record else 1

    def settle(
        self,
        request: Request,
        key: SubscriptionKey,
        verb: Verb,
        tokens: Sequence[Token],
        *,
        now_us: int,
        delay_ms: int | None = None,
        reason: str = "",
        error: str = "",
    ) -> Effects:
        """Say what became of leased records. Answered by what is not leased, once the rest is
        on disk. ``delay_ms``, of a nack: None is as the group's policy has it."""
        consumer = self._consumers.existing(key).consumer
        outcome = Outcome()
        why = Failure(now_us, delay_ms, reason, error)
        lost: list[Token] = []
        for lease_id, first, end in _joined(tokens):
            held = self._leases.get(lease_id)
            if held is None or held.consumer is not consumer:
                lost.append((lease_id, first, end - first))
                continue
            taken = held.lease.take(first, end)
            if taken != [(first, end)]:
                lost += _lost((lease_id, first, end - first), taken)
            for run in taken:
                self._settling.apply(verb, held, run, why, outcome)
            if not held.lease.open:
                self._leases.drop_if_done(held)
        effects = self._dispatch.finish(outcome)
        if not outcome.changed:
            return [Reply(request, Settled(lost)), *effects]
        # What has changed is written before one round of syncs, which makes all of it durable.
        log = next(reversed(outcome.changed)).partition.groups_log
        return [*effects, ReplyWhenDurable(log, None, request, Settled(lost))]

    def started(self, key: SubscriptionKey, tokens: Sequence[Token]) -> None:
        """Handlers of leased records have begun: if the client is lost now, that is a crash."""
        for lease_id, first, count in tokens:
            held = self._leases.get(lease_id)
            if held is not None and held.consumer.key == key:
                held.lease.start(first, first + count)

    def extend(
        self,
        request: Request,
        key: SubscriptionKey,
        tokens: Sequence[Token],
        *,
        lease_ms: int,
        now: float,
    ) -> Effects:
        """Hold records for ``lease_ms`` from now on (0: what they were leased for), or longer.

        All records of a lease have one deadline.
        """
        lost: list[Token] = []
        self._consumers.existing(key)  # or it is refused
        for token in tokens:
            lease_id, first, count = token
            held = self._leases.get(lease_id)
            # Who names a lease that was not sent yet has guessed: its time has not begun.
            if held is None or held.consumer.key != key or not held.lease.deadline:
                lost.append(token)
                continue
            still = held.lease.held(first, first + count)
            lost += _lost(token, still)
            if still:
                self._leases.set_deadline(held, now + (lease_ms / 1000 or held.lease.lease_s))
        return [Reply(request, Settled(lost))]

    def extend_session(self, session: int, now: float) -> None:
        """A session has given a sign of life: its leases last for their time from now on."""
        self._leases.session_seen(session, now)

    def session_unread(self, session: int, is_unread: bool, now: float) -> None:
        """Nothing that a session sends is read, by choice of the broker; or it is again."""
        self._leases.session_unread(session, is_unread, now)

    # Time, and what is written

    def tick(self, now: float, now_us: int) -> Effects:
        """Time passed: leases run out, and records that waited are ready."""
        effects: Effects = []
        outcome = Outcome()
        for held in self._leases.expired(now):
            self._dispatch.take_back(held, "expired", effects)
            self._settling.lost(held, now_us, outcome)
            self._leases.drop(held)
        for backlog, group in self._dispatch.retries.due(now_us).items():
            outcome.touch(group, backlog)
        return effects + self._dispatch.finish(outcome)

    def take_changes(self, log: LogId) -> dict[bytes, bytes | None]:
        """What has to be written to a group log."""
        return self._dispatch.changed.take(log)

    def topic_deleted(self, topic: Topic) -> Effects:
        """End all queues of a topic that is not among the topics any more."""
        groups, effects = self.groups.topic_deleted(topic)
        for group in groups:
            for key in group.consumers:
                self._consumers.forget(key)
        return effects


def distinct(tokens: Sequence[Token]) -> list[Token]:
    """The same records, each of them once."""
    distinct: list[Token] = []
    last_id = last_end = -1
    for lease_id, first, count in sorted(tokens):
        begin = max(first, last_end) if lease_id == last_id else first
        if begin < first + count:
            last_id, last_end = lease_id, first + count
            distinct.append((lease_id, begin, last_end - begin))
    return distinct


def _joined(tokens: Sequence[Token]) -> list[Token]:
    """The same records, as (lease id, first, end); what goes on where the last one ended is one,
    unless no token could name it."""
    joined: list[Token] = []
    last_id = last_first = last_end = -1
    for lease_id, first, count in tokens:
        is_more = first == last_end and lease_id == last_id
        if is_more and last_end + count - last_first <= _COUNT_MAX:
            last_end += count
            joined[-1] = (last_id, last_first, last_end)
        else:
            last_id, last_first, last_end = lease_id, first, first + count
            joined.append((lease_id, first, last_end))
    return joined


def _lost(token: Token, held: Sequence[Run]) -> list[Token]:
    """What of a token is not among what is held."""
    lease_id, first, count = token
    return [(lease_id, low, high - low) for low, high in without((first, first + count), held)]
