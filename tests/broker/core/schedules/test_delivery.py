import pytest

from tapemq.batch import Columns, decode_columns, decode_prefix, encode_body
from tapemq.batch.expiry import EXPIRY
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.schedules.book import ActiveFiring, Due
from tapemq_broker.core.schedules.delivery import body_of, deliver
from tapemq_broker.core.schedules.entries import Firing, Shot
from tapemq_broker.core.schedules.recurrence import Times
from tapemq_broker.core.schedules.schedule import SCHEDULER_ID, Schedule, pack_records


def firing(sequence: int = 0) -> ActiveFiring:
    """One schedule for two of its times, and another one."""
    first, second = pack_records(encode_body(Columns([b"a", b"b"])))
    due = [
        Due(Schedule(1, 10, 0, b"", first, 0), Times((10, 20), 30)),
        Due(Schedule(2, 15, 0, b"", second, 0), Times((15,), 0)),
    ]
    return ActiveFiring(Firing(0, 0, sequence, (Shot(1, 10), Shot(1, 20), Shot(2, 15))), due, 1)


def test_the_body_has_a_record_for_each_shot() -> None:
    body = body_of(firing(5), 99)
    prefix = decode_prefix(body)
    assert (prefix.producer_id, prefix.first_sequence, prefix.record_count) == (SCHEDULER_ID, 5, 3)
    assert decode_columns(body).values == [b"a", b"a", b"b"]


def test_delivered_again_it_is_where_it_was() -> None:
    partition = Partition(7, 0)
    first = deliver(partition, body_of(firing(), 99), 99)
    again = deliver(partition, body_of(firing(), 100), 100)
    assert first.append is not None
    assert again.append is None
    assert first.next_offset == again.next_offset == 3
    assert partition.producers.place_of(SCHEDULER_ID) == (0, 3)


def test_a_partition_that_has_forgotten_the_scheduler_says_so() -> None:
    with pytest.raises(Refused) as refused:
        deliver(Partition(7, 0), body_of(firing(5), 99), 99)
    assert refused.value.refusal.name == "unknown_producer"


def test_records_that_expire_say_so_in_the_bodys_flags() -> None:
    (record,) = pack_records(encode_body(Columns([b"x"]), flags=EXPIRY))
    due = [Due(Schedule(1, 10, 0, b"", record, 0), Times((10,), 0))]
    body = body_of(ActiveFiring(Firing(0, 0, 0, (Shot(1, 10),)), due, 1), 99)
    assert decode_prefix(body).flags & EXPIRY
    assert not decode_prefix(body_of(firing(), 99)).flags & EXPIRY
