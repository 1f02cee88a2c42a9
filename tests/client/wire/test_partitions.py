import pytest

from tapemq.wire.partitions import levels_of, partition_at, partition_of


@pytest.mark.parametrize(
    ("key", "partitions", "partition"),
    [
        (b"", 7, 0),
        (b"123456789", 1, 0),
        (b"123456789", 1000, 0xCBF43926 % 1000),
        ("größe".encode(), 16, 0x5BD3A989 % 16),
        (b"eu.42", 4, 0x8A3F9613 % 4),
    ],
)
def test_key_belongs_to_the_same_partition_for_ever(
    key: bytes, partitions: int, partition: int
) -> None:
    assert partition_of(key, partitions) == partition


def test_level_of_a_priority() -> None:
    assert (levels_of({}), levels_of({"priorities": 3})) == (1, 3)
    assert [partition_at(2, 3, priority) for priority in (0, 1, 2, 3, 9)] == [6, 7, 8, 8, 8]
    assert partition_at(2, 1, 9) == 2
