from datetime import UTC, datetime

from tapemq.batch import encode_extras
from tapemq.streams.record import Record, Source
from tapemq.streams.record_batch import RecordBatch

SOURCE = Source("orders", 3, 1_000_000)


def test_batch_knows_where_it_is() -> None:
    batch = RecordBatch(SOURCE, 10, [b"a", None])
    assert (batch.topic, batch.partition) == ("orders", 3)
    assert (batch.first_offset, batch.next_offset, len(batch)) == (10, 12, 2)
    assert repr(batch) == "<RecordBatch orders/3 offsets 10 to 11>"
    assert batch.timestamp == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_records_of_a_plain_batch() -> None:
    records = list(RecordBatch(SOURCE, 10, [b"a", None]).records())
    assert [type(record) for record in records] == [Record, Record]
    assert [(r.offset, r.value, r.key, r.headers) for r in records] == [
        (10, b"a", None, {}),
        (11, None, None, {}),
    ]
    assert records[0].topic == "orders"


def test_records_of_a_batch_with_keys_and_headers() -> None:
    extras = [encode_extras({"h": 1}), b""]
    batch = RecordBatch(SOURCE, 0, [b"a", b"b"], [b"k", None], extras)
    assert [(r.key, r.headers) for r in batch.records()] == [(b"k", {"h": 1}), (None, {})]
    assert batch.headers == [{"h": 1}, {}]


def test_headers_of_a_batch_without_any() -> None:
    assert RecordBatch(SOURCE, 0, [b"a", b"b"]).headers == [{}, {}]
