import pytest

from tapemq_broker.core.effects import Assign, Deliver, Detach, Effects, Revoke, SubscriptionKey
from tapemq_broker.core.generations import Generations
from tapemq_broker.core.group import Claim, Position, StreamGroup
from tapemq_broker.core.results import TopicInfo
from tapemq_broker.core.sharing import Sharing
from tapemq_broker.core.subscription import Subscription
from tapemq_broker.core.subscriptions import Subscriptions
from tapemq_broker.core.topics import Topics
from tests.support.core.reading import key

A, B, C = key(1), key(2), key(3)


class Rig:
    """A group on a topic with four partitions of ten records; generations count from 1."""

    def __init__(self) -> None:
        self.topics = Topics(10, 10, 100)
        self.topics.prepared(TopicInfo("orders", 1, 4, 1, {}))
        self.topic = self.topics.get(1)
        self.group = self.topic.groups["billing"] = StreamGroup("billing")
        for partition in self.topic.partitions:
            partition.opened(0, 10, 10)
            self.group.positions[partition.number] = Position(partition.number, 7)
        self.subscriptions = Subscriptions()
        self.sharing = Sharing(self.topics, self.subscriptions, Generations(0), 5.0)

    def join(self, who: SubscriptionKey, member: str = "", now: float = 0.0) -> Effects:
        effects: Effects = []
        one = Subscription(who, 1, "billing", member, 0, 0)
        self.sharing.join(self.topic, self.group, one, now, effects)
        return effects

    def leave(self, *keys: SubscriptionKey) -> Effects:
        effects: Effects = []
        for who in keys:
            self.subscriptions.remove(who)
        self.sharing.leave(self.topic, self.group, keys, 0.0, effects)
        return effects

    def let_go(self, partition: int) -> Effects:
        """The owner of a partition releases it."""
        claim = self.group.claims[partition]
        self.group.release(claim.owner, partition, claim.generation)
        effects: Effects = []
        self.subscriptions.stop(claim.owner, partition, effects)
        self.sharing.share(self.topic, self.group, 0.0, effects)
        return effects

    @property
    def owners(self) -> dict[int, SubscriptionKey]:
        return {partition: claim.owner for partition, claim in self.group.claims.items()}


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_first_member_gets_all(rig: Rig) -> None:
    assert rig.join(A) == [Assign(A, number, number + 1, number, 7) for number in range(4)]
    assert rig.group.claims == {number: Claim(A, number + 1) for number in range(4)}


def test_second_member_gets_its_share_bit_by_bit(rig: Rig) -> None:
    rig.join(A)
    assert rig.join(B) == [Revoke(A, 2, 3, 5.0), Revoke(A, 3, 4, 5.0)]
    assert rig.let_go(3) == [Assign(B, 3, 5, 3, 7)]
    assert rig.let_go(2) == [Assign(B, 2, 6, 2, 7)]
    assert rig.owners == {0: A, 1: A, 2: B, 3: B}


def test_revoked_partition_is_delivered_no_more(rig: Rig) -> None:
    rig.join(A)
    a = rig.subscriptions.get(A)
    assert a is not None
    rig.join(B)
    assert set(a.readers) == {0, 1}


def test_who_is_gone_is_not_asked(rig: Rig) -> None:
    rig.join(A)
    rig.join(B)
    rig.let_go(2)
    assert rig.leave(A) == [
        Assign(B, 0, 6, 0, 7),
        Assign(B, 1, 7, 1, 7),
        Assign(B, 3, 8, 3, 7),
    ]


def test_leaving_together_gives_nothing_to_each_other(rig: Rig) -> None:
    rig.join(A)
    rig.join(B)
    assert rig.leave(A, B) == []
    assert rig.owners == {}
    assert rig.group.members == {}


def test_deadline(rig: Rig) -> None:
    rig.join(A)
    rig.join(B, now=1.0)
    assert rig.sharing.overdue(5.9) == []
    assert rig.sharing.overdue(6.0) == [Assign(B, 2, 5, 2, 7), Assign(B, 3, 6, 3, 7)]
    assert rig.sharing.overdue(99.0) == []


def test_deadline_of_a_claim_that_is_over_touches_nobody(rig: Rig) -> None:
    rig.join(A)
    rig.join(B)
    rig.let_go(2)
    rig.let_go(3)
    before = rig.owners
    rig.join(C, now=4.0)  # asks for one of A's or B's, to be let go by 9.0
    assert rig.sharing.overdue(8.9) == []
    assert rig.owners == before
    del rig.topic.groups["billing"]
    assert rig.sharing.overdue(9.0) == []


def test_deadline_after_the_topic_was_deleted(rig: Rig) -> None:
    rig.join(A)
    rig.join(B)
    rig.topics.by_id.clear()
    assert rig.sharing.overdue(99.0) == []


def test_reconnect_takes_over_without_bothering_others(rig: Rig) -> None:
    rig.join(A, "a")
    rig.join(B, "b")
    rig.let_go(2)
    effects = rig.join(C, "a")
    detach = effects[0]
    assert isinstance(detach, Detach)
    assert (detach.key, detach.generation, detach.reason.name) == (A, 0, "fenced")
    # What was revoked from the old connection needs no release any more.
    assert effects[1:] == [
        Assign(C, 0, 6, 0, 7),
        Assign(C, 1, 7, 1, 7),
        Assign(B, 3, 8, 3, 7),
    ]
    assert rig.subscriptions.get(A) is None
    assert rig.group.members == {B: "b", C: "a"}


def test_subscribing_twice_as_the_same_begins_anew(rig: Rig) -> None:
    rig.join(A, "a")
    assert rig.join(A, "a") == [Assign(A, number, number + 5, number, 7) for number in range(4)]
    assert len(rig.subscriptions) == 1


def test_nameless_members_replace_nobody(rig: Rig) -> None:
    rig.join(A)
    rig.join(B)
    assert list(rig.group.members) == [A, B]


def test_seek_assigns_the_owner_anew(rig: Rig) -> None:
    rig.join(A)
    rig.join(B)
    rig.group.positions[1] = Position(5, 8)
    effects: Effects = []
    rig.sharing.moved(rig.topic, rig.group, 1, effects)
    assert effects == [Assign(A, 1, 5, 5, 8)]
    assert rig.group.claims[1] == Claim(A, 5)


def test_seek_takes_a_revoked_partition_at_once(rig: Rig) -> None:
    rig.join(A)
    rig.join(B)
    effects: Effects = []
    rig.sharing.moved(rig.topic, rig.group, 3, effects)
    assert effects == [Assign(B, 3, 5, 3, 7)]
    assert rig.owners == {0: A, 1: A, 2: A, 3: B}
    assert rig.sharing.overdue(5.0) == [Assign(B, 2, 6, 2, 7)]


def test_seek_where_nobody_reads(rig: Rig) -> None:
    effects: Effects = []
    rig.sharing.moved(rig.topic, rig.group, 3, effects)
    assert effects == []


def test_damaged_partition_has_an_owner_who_is_told(rig: Rig) -> None:
    rig.topic.partitions[1].damage = "rot"
    del rig.group.positions[1]
    detach = rig.join(A)[1]
    assert isinstance(detach, Detach)
    assert (detach.partition, detach.generation) == (1, 2)
    assert rig.owners[1] == A


def test_share_of_many_costs_no_delivery_to_others(rig: Rig) -> None:
    rig.join(A)
    effects = [effect for who in (B, C) for effect in rig.join(who)]
    assert not any(isinstance(effect, Deliver) for effect in effects)
