import pytest

from tapemq.batch import Columns, decode_columns, encode_body
from tapemq.batch.extras import encode_extras
from tapemq_broker.core.schedules.schedule import (
    ONCE,
    Recurrence,
    body_of,
    columns_of,
    pack_records,
)

HEADERS = encode_extras({"a": 1})


@pytest.mark.parametrize(
    "columns",
    [
        Columns([b"value"]),
        Columns([b""]),
        Columns([None], [b"key"]),
        Columns([b"v"], [b"k"], [HEADERS]),
        Columns([b"v"], None, [HEADERS]),
    ],
)
def test_a_record_is_the_same_when_it_is_unpacked(columns: Columns) -> None:
    (packed,) = pack_records(memoryview(encode_body(columns)))
    assert decode_columns(body_of(packed)) == columns


def test_records_with_and_without_key_make_one_body() -> None:
    columns = Columns([b"a", None, b"c"], [None, b"k", None], [b"", b"", HEADERS])
    assert columns_of(pack_records(encode_body(columns))) == columns
    records = pack_records(encode_body(Columns([b"a"])))
    records += pack_records(encode_body(Columns([b"b"], [b"k"])))
    assert columns_of(records) == Columns([b"a", b"b"], [None, b"k"], None)


def test_once_is_neither_cron_nor_every() -> None:
    assert ONCE.is_once
    assert not Recurrence(cron="* * * * *").is_once
    assert not Recurrence(every_ms=1000).is_once
