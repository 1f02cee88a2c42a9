from typing import Any

import pytest

from tapemq.wire.partitions import check_partition, levels_of, partition_at, partition_of


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


class OtherInteger:
    """As those of libraries for numbers."""

    def __index__(self) -> int:
        return 3


def test_partition_is_any_integer_and_sent_as_an_int() -> None:
    assert check_partition(None) is None
    given: list[Any] = [2, True, OtherInteger()]
    assert [(type(number), number) for number in map(check_partition, given)] == [
        (int, 2),
        (int, 1),
        (int, 3),
    ]


@pytest.mark.parametrize("partition", [1.0, "1"])
def test_partition_that_is_no_integer_is_refused(partition: Any) -> None:
    with pytest.raises(TypeError):
        check_partition(partition)
