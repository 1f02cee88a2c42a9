import pytest

from tapemq.batch import LogId, Role
from tapemq_broker.core.effects import (
    PrepareTopic,
    PutState,
    Reconfigure,
    RemoveTopic,
    Reply,
    ReplyWhenDurable,
    Request,
)
from tapemq_broker.core.refusal import Refusal, Refused
from tapemq_broker.core.results import Done, NamesPage, TopicInfo
from tapemq_broker.core.topic import encode_topic
from tapemq_broker.core.topics import (
    CATALOG,
    PAGE_NAMES,
    Topics,
    entry,
    logs_of,
    page_of,
    schedule_key,
)
from tests.support.core.changes import carried_out

ONE, TWO = Request(1, 1), Request(2, 1)
ORDERS = TopicInfo("orders", 7, 2, 1, {})


def created(topics: Topics, info: TopicInfo = ORDERS) -> None:
    topics.create(ONE, info.name, info.partitions, info.settings, topic_id=info.topic_id)
    topics.prepared(info)
    topics.answers(info)


@pytest.fixture
def topics() -> Topics:
    return Topics(topics_max=3, partitions_max=4, partitions_total_max=99)


@pytest.fixture
def orders(topics: Topics) -> Topics:
    created(topics)
    return topics


def refusal(topics: Topics, command: str, *args: object, **options: object) -> str:
    with pytest.raises(Refused) as caught:
        getattr(topics, command)(TWO, *args, **options)
    return caught.value.refusal.name


def test_topic_exists_once_its_logs_do(topics: Topics) -> None:
    assert topics.create(ONE, "orders", 2, {}, topic_id=7) == [PrepareTopic(ORDERS, 0)]
    assert refusal(topics, "describe", "orders") == "unknown_topic"
    assert entry(ORDERS) == PutState(CATALOG, {b"topic/orders": encode_topic(ORDERS)})
    topics.prepared(ORDERS)
    assert topics.answers(ORDERS) == [ReplyWhenDurable(CATALOG, None, ONE, ORDERS)]
    assert topics.answers(ORDERS) == []
    assert topics.describe(TWO, "orders") == [Reply(TWO, ORDERS)]
    assert topics.get(7).info == ORDERS
    assert len(topics) == 1


def test_logs_that_cannot_be_made(topics: Topics) -> None:
    topics.create(ONE, "orders", 2, {}, topic_id=7)
    refused = Refused("storage_failed", "no room")
    assert topics.unprepared(ORDERS, refused) == [Reply(ONE, refused.refusal)]
    assert topics.create(TWO, "orders", 1, {}, topic_id=8) != []


def test_creating_what_is_there_or_on_its_way(topics: Topics) -> None:
    topics.create(ONE, "orders", 2, {}, topic_id=7)
    assert refusal(topics, "create", "orders", 2, {}, topic_id=8) == "topic_exists"
    assert topics.create(TWO, "orders", 9, {}, topic_id=8, or_describe=True) == []
    topics.prepared(ORDERS)
    assert topics.answers(ORDERS) == [
        ReplyWhenDurable(CATALOG, None, request, ORDERS) for request in (ONE, TWO)
    ]
    assert refusal(topics, "create", "orders", 2, {}, topic_id=8) == "topic_exists"
    assert topics.create(TWO, "orders", 9, {}, topic_id=8, or_describe=True) == [Reply(TWO, ORDERS)]


def test_limits(topics: Topics) -> None:
    assert refusal(topics, "create", "orders", 0, {}, topic_id=7) == "bad_request"
    assert refusal(topics, "create", "orders", 5, {}, topic_id=7) == "bad_request"
    assert refusal(topics, "create", "orders", 1, {"colour": 1}, topic_id=7) == "bad_request"
    for topic_id in (1, 2):
        created(topics, TopicInfo(f"topic{topic_id}", topic_id, 1, 1, {}))
    topics.create(ONE, "on-its-way", 1, {}, topic_id=3)
    assert refusal(topics, "create", "orders", 1, {}, topic_id=7) == "bad_request"


def test_partitions_of_all_topics_are_limited() -> None:
    topics = Topics(topics_max=3, partitions_max=4, partitions_total_max=9)
    created(topics)
    topics.create(ONE, "on-its-way", 3, {}, topic_id=8)
    topics.alter(TWO, "orders", 4, {})
    with pytest.raises(Refused, match="has 7 and holds at most 9"):
        topics.create(ONE, "cats", 3, {}, topic_id=9)
    topics.unprepared(TopicInfo("on-its-way", 8, 3, 1, {}), Refused("disk_full", "no room"))
    topics.unprepared(ORDERS, Refused("disk_full", "no room"))
    created(topics, TopicInfo("cats", 9, 4, 1, {}))
    assert refusal(topics, "create", "dogs", 4, {}, topic_id=10) == "bad_request"
    carried_out(topics.delete(ONE, "orders"))
    created(topics, TopicInfo("dogs", 10, 4, 1, {}))


def test_alter_settings(orders: Topics) -> None:
    after = ORDERS._replace(version=2, settings={"retention_bytes": 5})
    altered = orders.alter(ONE, "orders", 0, {"retention_bytes": 5})
    assert orders.named("orders").info == ORDERS  # a full disk may still refuse it
    assert carried_out(altered) == [
        PutState(CATALOG, {b"topic/orders": encode_topic(after)}),
        Reconfigure(after),
        ReplyWhenDurable(CATALOG, None, ONE, after),
    ]
    last = after._replace(version=3, settings={"retention_bytes": 5, "segment_bytes": 4096})
    carried_out(orders.alter(ONE, "orders", 2, {"segment_bytes": 4096}))
    assert orders.named("orders").info == last


def test_add_partitions(orders: Topics) -> None:
    after = ORDERS._replace(partitions=4, version=2)
    assert orders.alter(ONE, "orders", 4, {}) == [PrepareTopic(after, 2)]
    assert orders.get(7).info == ORDERS
    assert refusal(orders, "alter", "orders", 3, {}) == "overloaded"
    assert refusal(orders, "delete", "orders") == "overloaded"
    orders.prepared(after)
    assert len(orders.get(7).partitions) == 4
    assert orders.answers(after) == [ReplyWhenDurable(CATALOG, None, ONE, after)]


def test_priorities_have_partitions_of_their_own(topics: Topics) -> None:
    made = ORDERS._replace(partitions=4, settings={"priorities": 2})
    assert topics.create(ONE, "orders", 2, {"priorities": 2}, topic_id=7) == [PrepareTopic(made, 0)]
    topics.prepared(made)
    assert topics.get(7).levels == 2
    assert refusal(topics, "create", "cats", 2, {"priorities": 3}, topic_id=8) == "bad_request"


def test_partitions_of_each_priority_are_added_and_their_number_stays() -> None:
    topics = Topics(topics_max=3, partitions_max=9, partitions_total_max=99)
    before = ORDERS._replace(partitions=6, settings={"priorities": 3})
    topics.create(ONE, "orders", 2, {"priorities": 3}, topic_id=7)
    topics.prepared(before)
    topics.answers(before)
    for number in (2, 10):
        assert refusal(topics, "alter", "orders", 0, {"priorities": number}) == "bad_request"
    with pytest.raises(Refused, match="has 2 partitions; they only grow"):
        topics.alter(ONE, "orders", 1, {})
    with pytest.raises(Refused, match="12 partitions; 1 to 9"):
        topics.alter(ONE, "orders", 4, {})
    carried_out(topics.alter(ONE, "orders", 2, {"priorities": 3}))
    after = before._replace(partitions=9, version=3)
    assert topics.alter(ONE, "orders", 3, {}) == [PrepareTopic(after, 6)]


def test_partitions_that_cannot_be_made_change_nothing(orders: Topics) -> None:
    after = ORDERS._replace(partitions=4, version=2)
    orders.alter(ONE, "orders", 4, {})
    orders.unprepared(after, Refused("storage_failed", "no room"))
    assert orders.get(7).info == ORDERS
    assert refusal(orders, "alter", "orders", 1, {}) == "bad_request"
    assert refusal(orders, "alter", "orders", 5, {}) == "bad_request"
    assert refusal(orders, "alter", "orders", 0, {"colour": 1}) == "bad_request"
    assert refusal(orders, "alter", "shipments", 3, {}) == "unknown_topic"
    assert orders.get(7).info == ORDERS


def test_deleted_topic_is_gone_and_its_id_stale(orders: Topics) -> None:
    deleted = orders.delete(ONE, "orders")
    assert orders.named("orders").info == ORDERS  # a full disk may still refuse it
    assert carried_out(deleted) == [
        PutState(CATALOG, {b"topic/orders": None, b"gone/0000000000000007/orders": b""}),
        RemoveTopic(ORDERS),
        ReplyWhenDurable(CATALOG, None, ONE, Done()),
    ]
    assert refusal(orders, "delete", "orders") == "unknown_topic"
    with pytest.raises(Refused) as caught:
        orders.get(7)
    assert caught.value.refusal.name == "stale_metadata"
    created(orders, ORDERS._replace(topic_id=8))
    assert orders.named("orders").info.topic_id == 8


def test_groups_are_counted_over_all_topics(orders: Topics) -> None:
    created(orders, TopicInfo("cats", 8, 1, 1, {}))
    cats, topic = orders.get(8), orders.get(7)
    group = orders.add_group(topic, "billing")
    assert orders.add_group(topic, "billing") is group
    orders.add_group(topic, "auditing")
    orders.add_group(cats, "billing")
    assert orders.group_count == 3
    orders.remove_group(topic, "billing")
    assert list(topic.groups) == ["auditing"]
    assert orders.group_count == 2
    carried_out(orders.delete(ONE, "orders"))
    assert orders.group_count == 1


def test_load_reads_topics_and_nothing_else(topics: Topics) -> None:
    entries = {b"topic/orders": encode_topic(ORDERS), b"boot": b"1"}
    assert [topic.info for topic in topics.load(entries)] == [ORDERS]


def test_pages_of_names(orders: Topics) -> None:
    created(orders, TopicInfo("cats", 8, 1, 1, {}))
    assert orders.names(ONE, "") == [Reply(ONE, NamesPage(["cats", "orders"], False))]
    assert orders.names(ONE, "cats") == [Reply(ONE, NamesPage(["orders"], False))]
    names = [f"{number:04}" for number in range(PAGE_NAMES * 2)]
    first = page_of(reversed(names), "")
    assert first == NamesPage(names[:PAGE_NAMES], True)
    assert page_of(names, first.names[-1]) == NamesPage(names[PAGE_NAMES:], False)


def test_refusal_of_an_unknown_topic_is_an_answer(topics: Topics) -> None:
    with pytest.raises(Refused) as caught:
        topics.named("orders")
    assert caught.value.refusal == Refusal("unknown_topic", "there is no topic 'orders'")


def test_a_topic_of_which_the_catalog_says_nonsense_is_refused_alone(topics: Topics) -> None:
    """Nor is it made anew: its records are still there."""
    cats = TopicInfo("cats", 8, 1, 1, {})
    entries = {
        b"topic/sick": encode_topic(ORDERS._replace(partitions=0)),
        b"topic/orders": encode_topic(ORDERS),
        b"topic/twin": encode_topic(ORDERS),
        b"topic/\xff": b"",
        b"topic/cats": encode_topic(cats),
    }
    assert [topic.info for topic in topics.load(entries)] == [ORDERS, cats]
    assert list(topics.refused) == ["sick", "twin", "\\xff"]
    assert refusal(topics, "describe", "sick") == "storage_failed"
    assert refusal(topics, "create", "sick", 1, {}, topic_id=9) == "storage_failed"
    assert refusal(topics, "delete", "twin") == "storage_failed"


def test_logs_of_a_topic_are_two_for_each_partition_and_one_of_schedules() -> None:
    roles, schedules = (Role.DATA, Role.GROUPS), LogId(7, 0, Role.SCHEDULE)
    partitions = [LogId(7, number, role) for number in (0, 1) for role in roles]
    assert list(logs_of(ORDERS, {schedule_key(8): b""})) == partitions
    assert list(logs_of(ORDERS, {schedule_key(7): b""})) == [*partitions, schedules]


def test_no_more_requests_wait_for_topics_than_fit(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a disk hangs, requests for a topic that is being made had no end."""
    monkeypatch.setattr("tapemq_broker.core.topics.WAITING_MAX", 3)
    topics.create(ONE, "a", 1, {}, topic_id=1)
    topics.create(ONE, "b", 1, {}, topic_id=2)
    assert topics.create(TWO, "a", 1, {}, topic_id=3, or_describe=True) == []
    wish = {"topic_id": 4, "or_describe": True}
    assert refusal(topics, "create", "b", 1, {}, **wish) == "overloaded"
    made, none = TopicInfo("a", 1, 1, 1, {}), Refused("disk_full", "no room")
    topics.prepared(made)
    assert len(topics.answers(made)) == 2
    for _ in range(2):
        assert topics.create(TWO, "b", 1, {}, topic_id=4, or_describe=True) == []
    assert refusal(topics, "create", "b", 1, {}, **wish) == "overloaded"
    assert len(topics.unprepared(TopicInfo("b", 2, 1, 1, {}), none)) == 3
    topics.create(ONE, "b", 1, {}, topic_id=5)
    assert topics.create(TWO, "b", 1, {}, topic_id=6, or_describe=True) == []


def test_who_waits_for_a_topic_until_its_deadline_waits_no_longer(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The topic is made all the same, and others go on waiting for it."""
    monkeypatch.setattr("tapemq_broker.core.topics.WAITING_MAX", 3)
    maker, early, late = Request(1, 1, 5.0), Request(1, 2, 5.0), Request(1, 3, 6.0)
    topics.create(maker, "orders", 2, {}, topic_id=7)
    for request in (early, late):
        assert topics.create(request, "orders", 1, {}, topic_id=8, or_describe=True) == []
    assert topics.overdue(4.9) == []
    assert topics.overdue(5.0) == [maker, early]
    assert topics.overdue(5.0) == []
    for request in (ONE, TWO):  # there is room for them
        assert topics.create(request, "orders", 1, {}, topic_id=8, or_describe=True) == []
    topics.prepared(ORDERS)
    assert topics.answers(ORDERS) == [
        ReplyWhenDurable(CATALOG, None, request, ORDERS) for request in (late, ONE, TWO)
    ]
    assert topics.overdue(9.0) == []
