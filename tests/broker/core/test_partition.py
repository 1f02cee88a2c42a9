import pytest

from tapemq.batch import HEADER_BYTES, Kind, LogId, Role, checksum, decode_prefix
from tapemq_broker.core.effects import Append
from tapemq_broker.core.partition import Partition, Published
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import PublishResult
from tapemq_broker.core.sizes import Sizes
from tests.support.bodies import body, prefix


def publish(partition: Partition, data: memoryview, now_us: int = 7) -> Published:
    return partition.publish(data, decode_prefix(data), checksum(data), now_us)


def test_logs_of_a_partition() -> None:
    partition = Partition(5, 3)
    assert partition.log == LogId(5, 3, Role.DATA)
    assert partition.groups_log == LogId(5, 3, Role.GROUPS)


def test_batches_get_the_next_offsets() -> None:
    partition = Partition(1, 0)
    partition.opened(10, 20, 15)
    first, second = body(b"a", b"b"), body(b"c")
    assert publish(partition, first) == Published(
        Append(partition.log, Kind.DATA, 20, 2, first, checksum(first)),
        PublishResult(20, False, False, 7),
        22,
    )
    assert publish(partition, second).result.base_offset == 22
    assert (partition.first_offset, partition.next_offset) == (10, 23)
    assert partition.durable_offset == 15


def test_retry_is_answered_with_the_first_offset() -> None:
    partition = Partition(1, 0)
    first, second = body(b"a", b"b", producer=9), body(b"c", producer=9, sequence=2)
    publish(partition, first)
    publish(partition, second)
    assert publish(partition, first) == Published(None, PublishResult(0, False, True, 0), 2)
    partition.durable_offset = 2
    assert publish(partition, first).result.durable
    assert not publish(partition, second).result.durable
    assert partition.next_offset == 3


def test_refused_append_gives_the_offsets_back() -> None:
    partition = Partition(1, 0)
    publish(partition, body(b"a", producer=9))
    refused = body(b"b", b"c", producer=9, sequence=1)
    publish(partition, refused)
    partition.refused(1)
    again = publish(partition, refused)
    assert again.append is not None
    assert again.result == PublishResult(1, False, False, 7)


def test_opening_forgets_what_a_snapshot_knows_beyond_the_log() -> None:
    """Else a batch that a full disk refused would count as stored after a crash: it is lost."""
    partition = Partition(1, 0)
    partition.producers.observe(prefix(0, 2, producer=9), 4, 1)
    partition.opened(0, 4, 4)
    retry = publish(partition, body(b"a", b"b", producer=9))
    assert retry.append is not None
    assert not retry.result.duplicate


def test_opening_forgets_who_is_in_a_snapshot_only() -> None:
    partition = Partition(1, 0)
    partition.producers.observe(prefix(0, 2, producer=9), 4, 1)
    partition.opened(0, 4, 4)
    with pytest.raises(Refused) as caught:
        publish(partition, body(b"c", producer=9, sequence=2))
    assert caught.value.refusal.name == "unknown_producer"


def test_bytes_are_counted_of_what_is_in_the_log() -> None:
    """What counts too much makes a limit in bytes drop records that are within it."""
    partition = Partition(1, 0)
    partition.sizes = sizes = Sizes(1, [(0, 0)])
    first, second = body(b"a"), body(b"b" * 50)
    publish(partition, first)
    publish(partition, second)
    size_bytes = 2 * HEADER_BYTES + len(first) + len(second)
    assert sizes.bytes_from(0) == size_bytes
    partition.refused(1)
    assert sizes.bytes_from(0) == HEADER_BYTES + len(first)
    publish(partition, second)
    partition.durable_upto(1)
    assert sizes.bytes_from(1) == HEADER_BYTES + len(second)
    partition.durable_upto(2)
    assert (sizes.bytes_from(0), sizes.bytes_from(2)) == (size_bytes, 0)
    assert partition.dropped == 0


def test_damaged_partition_takes_nothing() -> None:
    partition = Partition(1, 0)
    partition.damage = "segment 0 is damaged at byte 9"
    with pytest.raises(Refused, match="at byte 9"):
        publish(partition, body(b"a"))
    assert partition.next_offset == 0
    with pytest.raises(Refused, match="at byte 9"):
        partition.check_usable()
    with pytest.raises(Refused, match="at byte 9"):
        partition.check_groups_usable()


def test_damage_to_groups_is_theirs_alone() -> None:
    partition = Partition(1, 0)
    partition.own_groups_damage = "rot"
    publish(partition, body(b"a"))
    assert partition.next_offset == 1
    with pytest.raises(Refused, match="rot"):
        partition.check_groups_usable()
