import pytest

from tapemq_broker.core.effects import Assign, Deliver, Detach, Effects
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.subscription import Subscription
from tapemq_broker.core.subscriptions import Subscriptions, pump
from tests.support.core.reading import key


def subscription(session: int, number: int = 1, topic_id: int = 1) -> Subscription:
    return Subscription(key(session, number), topic_id, None, "", 100, 100)


def partition(number: int, upto: int = 5) -> Partition:
    made = Partition(1, number)
    made.opened(0, upto, upto)
    return made


@pytest.fixture
def all_of_them() -> Subscriptions:
    made = Subscriptions()
    for session, number, topic_id in ((1, 1, 1), (1, 2, 2), (2, 1, 1)):
        made.add(subscription(session, number, topic_id))
    return made


def keys(found: list[Subscription]) -> list[tuple[int, int]]:
    return [tuple(one.key) for one in found]  # type: ignore[misc]


def test_found_by_key_session_and_topic(all_of_them: Subscriptions) -> None:
    assert len(all_of_them) == 3
    one = all_of_them.get(key(1, 2))
    assert one is not None
    assert one.topic_id == 2
    assert all_of_them.get(key(2, 2)) is None
    assert all_of_them.get(key(3)) is None
    assert keys(all_of_them.of_session(1)) == [(1, 1), (1, 2)]
    assert keys(all_of_them.of_topic(1)) == [(1, 1), (2, 1)]
    assert all_of_them.of_session(3) == all_of_them.of_topic(3) == []


def test_removed_leaves_nothing_behind(all_of_them: Subscriptions) -> None:
    effects: Effects = []
    all_of_them.begin(key(1), partition(0), 10, 0, 0, effects)
    all_of_them.begin(key(1), partition(1), 11, 0, 0, effects)
    for one in (key(1), key(1, 2), key(2)):
        all_of_them.remove(one)
    assert len(all_of_them) == 0
    assert list(all_of_them.reading(partition(0).log)) == []
    assert vars(all_of_them) == vars(Subscriptions())


def test_begin_says_so_and_sends(all_of_them: Subscriptions) -> None:
    effects: Effects = []
    read = partition(0)
    all_of_them.begin(key(1), read, 10, 2, 7, effects)
    all_of_them.begin(key(2), read, 11, 5, 7, effects)
    assert effects == [
        Assign(key(1), 0, 10, 2, 7),
        Deliver(key(1), read.log, 10, 2, 5, 100),
        Assign(key(2), 0, 11, 5, 7),
    ]
    assert keys(list(all_of_them.reading(read.log).values())) == [(1, 1), (2, 1)]


def test_damaged_partition_is_told_of(all_of_them: Subscriptions) -> None:
    effects: Effects = []
    damaged = partition(0)
    damaged.damage = "rot at byte 9"
    all_of_them.begin(key(1), damaged, 10, 2, 7, effects)
    assert effects == [Detach(key(1), 0, 10, Refusal("storage_failed", "rot at byte 9"))]
    assert list(all_of_them.reading(damaged.log)) == []


def test_damaged_groups_are_no_trouble_for_who_reads_without_one() -> None:
    damaged = partition(0)
    damaged.own_groups_damage = "rot at byte 9"
    kinds = []
    for group in (None, "billing"):
        subscriptions = Subscriptions()
        effects: Effects = []
        subscriptions.add(Subscription(key(1), 1, group, "", 100, 100))
        subscriptions.begin(key(1), damaged, 10, 5, 7, effects)
        kinds.append([type(effect) for effect in effects])
    assert kinds == [[Assign], [Detach]]


def test_stop_makes_room_for_the_next_partition(all_of_them: Subscriptions) -> None:
    effects: Effects = []
    for number in (0, 1):
        all_of_them.begin(key(1), partition(number), 10 + number, 0, 0, effects)
    effects.clear()
    all_of_them.stop(key(1), 0, effects)
    assert effects == [Deliver(key(1), partition(1).log, 11, 0, 5, 100)]
    all_of_them.stop(key(1), 0, effects)  # it does not read that any more
    assert len(effects) == 1


def test_pump_without_anything_to_send() -> None:
    effects: Effects = []
    pump(subscription(1), effects)
    assert effects == []
