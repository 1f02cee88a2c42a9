from tapemq.queues.hand import Hand
from tapemq.queues.lease import Lease
from tapemq.queues.leased_record import LeasedRecord
from tapemq.streams.record import Source
from tapemq.streams.record_batch import RecordBatch
from tapemq.wire import messages as m
from tapemq.wire.entries import Run


def hand(**columns: list[bytes]) -> Hand:
    lease = Lease(m.Leased(1, 0, 7, b"", 30_000), [Run(5, 2)], 0, 0.0)
    batch = RecordBatch(Source("t", 0, 0), 5, [b"a", b"b"], **columns)
    return Hand(lease, batch, LeasedRecord)


def test_messages_are_made_of_the_columns() -> None:
    plain, full = hand(), hand(keys=[b"x", b"y"], extras=[b"", b""])
    assert [(one.offset, one.value, one.key) for one in plain.messages] == [
        (5, b"a", None),
        (6, b"b", None),
    ]
    assert [(one.offset, one.value, one.key) for one in full.messages] == [
        (5, b"a", b"x"),
        (6, b"b", b"y"),
    ]


def test_position_follows_the_messages() -> None:
    one = hand()
    assert (one.reported, one.next_offset) == (5, 5)
    assert next(one.messages)._lease is one.lease
    assert one.next_offset == 6
    one.stop()
    assert (one.next_offset, one.exhausted, list(one.messages)) == (6, True, [])
