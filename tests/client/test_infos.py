from datetime import UTC, datetime

from tapemq.infos import GroupInfo, GroupPartition, TopicInfo, time_of


def test_lag_of_a_group_is_that_of_its_partitions() -> None:
    partitions = tuple(GroupPartition(n, 0, lag, 1, "", None) for n, lag in enumerate((3, 0, 4)))
    assert GroupInfo("t", "g", "stream", False, 0, partitions).lag == 7


def test_time_of_the_protocol_is_utc_and_zero_is_none() -> None:
    assert time_of(1_000_001) == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)
    assert time_of(0) is None


def test_priorities_of_a_topic() -> None:
    assert TopicInfo("t", 1, 2, 1, {}).priorities == 1
    assert TopicInfo("t", 1, 6, 1, {"priorities": 3}).priorities == 3
