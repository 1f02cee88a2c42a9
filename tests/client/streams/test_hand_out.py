from tapemq.batch import Columns, decode_header, encode_body
from tapemq.streams.assignment import Assignment
from tapemq.streams.hand_out import HandOut, decode_batch, part, tail
from tapemq.streams.record import Source
from tapemq.streams.record_batch import RecordBatch
from tests.support.fake_broker import FakePartition
from tests.support.fake_broker.topic import APPEND_TIME_US

SOURCE = Source("t", 0, 0)
BATCH = RecordBatch(SOURCE, 10, (b"a", b"b", b"c", b"d"), (b"1", b"2", b"3", b"4"), (b"",) * 4)


def hand_out() -> HandOut:
    return HandOut(Assignment(0), BATCH)


def test_position_follows_the_records() -> None:
    hand = hand_out()
    seen = [(hand.next_offset, record.offset) for record in hand.records]
    assert seen == [(11, 10), (12, 11), (13, 12), (14, 13)]
    assert hand.exhausted


def test_rest_is_taken_as_a_batch() -> None:
    hand = hand_out()
    next(hand.records)
    rest = hand.take_batch()
    assert (rest.first_offset, rest.values, rest.keys) == (
        11,
        (b"b", b"c", b"d"),
        (b"2", b"3", b"4"),
    )
    assert (hand.next_offset, hand.exhausted) == (14, True)


def test_stopped_hand_out_ends_where_it_was() -> None:
    hand = hand_out()
    records = hand.records
    next(records)
    hand.stop()
    assert list(records) == []
    assert (hand.next_offset, hand.exhausted) == (11, True)


def columns(batch: RecordBatch) -> tuple[object, ...]:
    return batch.source, batch.first_offset, batch.values, batch.keys, batch.extras


def test_tail_cuts_all_columns() -> None:
    rest = tail(BATCH, 12)
    assert columns(rest) == (SOURCE, 12, (b"c", b"d"), (b"3", b"4"), (b"", b""))
    assert tail(BATCH, 10) is BATCH
    assert tail(BATCH, 3) is BATCH
    plain = RecordBatch(SOURCE, 10, (b"a", b"b"))
    assert columns(tail(plain, 11)) == (SOURCE, 11, (b"b",), None, None)


def test_batch_is_decoded_from_the_log() -> None:
    partition = FakePartition(5, 2)
    partition.append(encode_body(Columns([b"x"])), 1)
    data = partition.append(encode_body(Columns([b"a", None], [None, b"k"])), 2).data
    (batch,) = decode_batch("t", decode_header(data), memoryview(data)[88:])
    assert batch.source == Source("t", 2, APPEND_TIME_US)
    assert (batch.first_offset, list(batch.values)) == (1, [b"a", None])
    assert list(batch.keys or []) == [None, b"k"]
    assert batch.extras is None


def test_large_batch_is_decoded_in_runs() -> None:
    partition = FakePartition(5, 2)
    values = [b"%d" % number for number in range(1200)]
    data = partition.append(encode_body(Columns(values)), 1200).data
    runs = list(decode_batch("t", decode_header(data), memoryview(data)[88:]))
    assert [(run.first_offset, len(run)) for run in runs] == [(0, 512), (512, 512), (1024, 176)]
    assert [value for run in runs for value in run.values] == values


def test_part_of_a_batch() -> None:
    assert part(BATCH, 0, 99) is BATCH
    assert part(BATCH, 10, 14) is BATCH
    for first, upto, expected in [(11, 13, b"bc"), (0, 11, b"a"), (13, 99, b"d"), (3, 9, b"")]:
        found = part(BATCH, first, upto)
        assert b"".join(value for value in found.values if value) == expected
        assert len(found.keys or ()) == len(found.extras or ()) == len(found)
        assert not expected or found.first_offset == 10 + b"abcd".index(expected)
