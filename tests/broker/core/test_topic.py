from typing import Any

import msgpack
import pytest

from tapemq_broker.core.group import Position, StreamGroup
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import TopicInfo, TopicSettings
from tapemq_broker.core.topic import Topic, check_settings, decode_topic, encode_topic


@pytest.fixture
def topic() -> Topic:
    return Topic(TopicInfo("orders", 7, 3, 1, {}))


def test_partitions(topic: Topic) -> None:
    assert [partition.log for partition in topic.partitions] == [(7, 0, 0), (7, 1, 0), (7, 2, 0)]
    assert topic.partition(2) is topic.partitions[2]


@pytest.mark.parametrize("number", [3, -1, 2**64 - 1])
def test_no_such_partition(topic: Topic, number: int) -> None:
    with pytest.raises(Refused, match=f"{number} is none of them"):
        topic.partition(number)


def test_partitions_only_grow(topic: Topic) -> None:
    before = list(topic.partitions)
    info = topic.info._replace(partitions=5, version=2)
    topic.change(info)
    assert topic.info == info
    assert topic.partitions[:3] == before
    assert [partition.number for partition in topic.partitions] == [0, 1, 2, 3, 4]


def test_damage(topic: Topic) -> None:
    topic.partitions[0].damage = "rot at byte 9"
    assert topic.usable_partitions() == topic.partitions[1:]
    for partition in topic.partitions:
        partition.damage = "rot"
    with pytest.raises(Refused, match="rot"):
        topic.usable_partitions()


def test_damage_to_groups_alone(topic: Topic) -> None:
    topic.check_groups_usable()
    topic.partitions[0].own_groups_damage = "rot at byte 9"
    assert topic.usable_partitions() == topic.partitions
    assert topic.group_partitions() == topic.partitions[1:]
    with pytest.raises(Refused, match="rot at byte 9"):
        topic.check_groups_usable()
    for partition in topic.partitions[1:]:
        partition.damage = "rot"
    with pytest.raises(Refused, match="rot at byte 9"):
        topic.group_partitions()


def test_groups(topic: Topic) -> None:
    topic.groups["billing"] = StreamGroup("billing")
    assert topic.group("billing") is topic.groups["billing"]
    with pytest.raises(Refused, match="has no group 'auditing'"):
        topic.group("auditing")


def test_who_holds_what(topic: Topic) -> None:
    positions = {"a": Position(5, hold=True), "b": Position(3, hold=True), "c": Position(1)}
    for name, position in positions.items():
        topic.groups[name] = StreamGroup(name)
        topic.groups[name].positions[1] = position
    assert topic.hold_offset(1) == 3
    assert topic.hold_offset(0) is None


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"retention_age_s": 0, "retention_bytes": 1},
        {"segment_bytes": 4096},
        {"max_records": 5, "overflow": "refuse"},
        {"max_bytes": 5},
        {"priorities": 2},
        {"priorities": 10},
    ],
)
def test_settings(settings: TopicSettings) -> None:
    check_settings(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"colour": 1},
        {"retention_age_s": -1},
        {"retention_age_s": True},
        {"retention_bytes": "1"},
        {"segment_bytes": 4095},
        {"max_records": -1},
        {"max_bytes": -1},
        {"overflow": "drop"},
        {"overflow": 1},
        {"priorities": 0},
        {"priorities": 1},
        {"priorities": 11},
        {"priorities": "3"},
    ],
)
def test_settings_that_cannot_be(settings: TopicSettings) -> None:
    with pytest.raises(Refused) as caught:
        check_settings(settings)
    assert caught.value.refusal.name == "bad_request"


def test_topic_at_rest() -> None:
    info = TopicInfo("orders", 2**64 - 1, 3, 9, {"retention_bytes": 1})
    assert decode_topic("orders", encode_topic(info)) == info


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("../../etc", {}),
        (".", {}),
        ("orders", {"topic_id": 0}),
        ("orders", {"topic_id": "7"}),
        ("orders", {"partitions": 0}),
        ("orders", {"settings": {"retention_bytes": -1}}),
        ("orders", {"settings": {"priorities": 2}}),
    ],
)
def test_nonsense_at_rest_is_told(name: str, changed: dict[str, Any]) -> None:
    good = {"topic_id": 7, "partitions": 3, "version": 9, "settings": {}}
    assert decode_topic("orders", msgpack.packb(good)) == TopicInfo("orders", 7, 3, 9, {})
    with pytest.raises(BadEntry):
        decode_topic(name, msgpack.packb(good | changed))


def test_settings_of_a_newer_version_are_kept() -> None:
    info = TopicInfo("orders", 7, 3, 9, {"colour": "red"})
    assert decode_topic("orders", encode_topic(info)) == info
