"""Sharing: which member of a group reads which partition, and how it gets from one to another."""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from tapemq_broker.core.effects import Detach, Effects, Revoke, SubscriptionKey
from tapemq_broker.core.generations import Generations
from tapemq_broker.core.group import Claim, Position, StreamGroup
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.subscription import Subscription
from tapemq_broker.core.subscriptions import Subscriptions
from tapemq_broker.core.topic import Topic
from tapemq_broker.core.topics import Topics

_NOWHERE: Final = Position(0)
"""For damaged partitions, of which nothing is known."""


class _Revoked(NamedTuple):
    """A claim that ends at ``until``, if it does not end by itself."""

    until: float
    topic_id: int
    group: str
    partition: int
    generation: int


class Sharing:
    """Moves claims, and the reading that goes with them.

    A partition is taken from a live member by asking it; who does not let go in time, or is gone,
    is not asked. Only then it is given away, in a new generation.
    """

    def __init__(
        self,
        topics: Topics,
        subscriptions: Subscriptions,
        generations: Generations,
        revoke_deadline_s: float,
    ) -> None:
        self._topics = topics
        self._subscriptions = subscriptions
        self._generations = generations
        self._revoke_deadline_s = revoke_deadline_s
        # In the order of their deadlines, because all get the same time.
        self._revoked: deque[_Revoked] = deque()

    def join(
        self,
        topic: Topic,
        group: StreamGroup,
        subscription: Subscription,
        now: float,
        effects: Effects,
    ) -> None:
        """A member comes, perhaps in the place of one of the same name."""
        before = group.find_member(subscription.member)
        held = [] if before is None else self._replace(group, before, subscription.key, effects)
        self._subscriptions.add(subscription)
        group.join(subscription.key, subscription.member)
        self._give(topic, group, [(number, subscription.key) for number in held], effects)
        self.share(topic, group, now, effects)

    def _replace(
        self,
        group: StreamGroup,
        before: SubscriptionKey,
        key: SubscriptionKey,
        effects: Effects,
    ) -> list[int]:
        """End a member's old subscription; which partitions go over to the new one.

        No other member is bothered: a reconnect moves nothing.
        """
        held = group.held_by(before)
        group.leave(before)
        self._subscriptions.remove(before)
        if before != key:
            text = f"group {group.name!r}: the same member has subscribed again, elsewhere"
            effects.append(Detach(before, 0, 0, Refusal("fenced", text)))
        return held

    def leave(
        self,
        topic: Topic,
        group: StreamGroup,
        keys: Iterable[SubscriptionKey],
        now: float,
        effects: Effects,
    ) -> None:
        """Members are gone; the others get what they had at once."""
        for key in keys:
            group.leave(key)
        self.share(topic, group, now, effects)

    def share(self, topic: Topic, group: StreamGroup, now: float, effects: Effects) -> None:
        """Share a group's partitions anew, after any change of members, claims or partitions."""
        moves = group.plan_moves(len(topic.partitions))
        for number in moves.revoke:
            self._revoke(topic, group, number, now, effects)
        self._give(topic, group, moves.assign, effects)

    def _revoke(
        self, topic: Topic, group: StreamGroup, number: int, now: float, effects: Effects
    ) -> None:
        claim = group.claims[number]
        claim.revoked = True
        within_s = self._revoke_deadline_s
        self._revoked.append(
            _Revoked(now + within_s, topic.info.topic_id, group.name, number, claim.generation)
        )
        effects.append(Revoke(claim.owner, number, claim.generation, within_s))
        self._subscriptions.stop(claim.owner, number, effects)

    def _give(
        self,
        topic: Topic,
        group: StreamGroup,
        assign: Iterable[tuple[int, SubscriptionKey]],
        effects: Effects,
    ) -> None:
        """Let members read partitions that nobody holds, each in a new generation."""
        for number, key in assign:
            generation = self._generations.next()
            group.claims[number] = Claim(key, generation)
            at = group.positions.get(number, _NOWHERE)
            self._subscriptions.begin(
                key, topic.partitions[number], generation, at.cursor, at.seek_epoch, effects
            )

    def moved(self, topic: Topic, group: StreamGroup, number: int, effects: Effects) -> None:
        """A group was sought elsewhere: whoever reads that partition starts there anew.

        A member that was asked to let go is not waited for: what it may still commit would undo
        the seek.
        """
        claim = group.claims.pop(number, None)
        if claim is None:
            return
        self._subscriptions.stop(claim.owner, number, effects)
        stays = [(number, claim.owner)]
        moves = group.plan_moves(len(topic.partitions))
        self._give(topic, group, moves.assign if claim.revoked else stays, effects)

    def overdue(self, now: float) -> Effects:
        """Take what was not let go in time."""
        effects: Effects = []
        touched: dict[tuple[int, str], tuple[Topic, StreamGroup]] = {}
        while self._revoked and self._revoked[0].until <= now:
            revoked = self._revoked.popleft()
            topic = self._topics.by_id.get(revoked.topic_id)
            group = topic.groups.get(revoked.group) if topic else None
            claim = group.claims.get(revoked.partition) if group else None
            if topic and group and claim and claim.generation == revoked.generation:
                del group.claims[revoked.partition]
                touched[revoked.topic_id, revoked.group] = topic, group
        for topic, group in touched.values():
            self.share(topic, group, now, effects)
        return effects
