import pytest

from tapemq.wire.partitions import partition_of


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
