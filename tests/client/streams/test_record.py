import pickle
from datetime import UTC, datetime

import pytest

from tapemq.batch import encode_extras
from tapemq.streams.record import Record, Source

SOURCE = Source("orders", 3, 1_700_000_000_000_001)


def record(
    value: bytes | None = b"v", key: bytes | None = b"k", extras: bytes = b"", offset: int = 7
) -> Record:
    return Record(value, key, offset, extras, SOURCE)


def test_fields() -> None:
    one = record()
    assert (one.value, one.key, one.offset) == (b"v", b"k", 7)
    assert (one.topic, one.partition) == ("orders", 3)
    assert one.timestamp == datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC)


def test_headers() -> None:
    assert record().headers == {}
    assert record(extras=encode_extras({"a": 1, "b": b"x"})).headers == {"a": 1, "b": b"x"}


def test_text() -> None:
    one = record("é".encode(), "ü".encode())
    assert (one.text, one.key_text) == ("é", "ü")
    assert (record(None, None).text, record(None, None).key_text) == ("", None)
    with pytest.raises(UnicodeDecodeError):
        _ = record(b"\xff").text


def test_record_is_immutable() -> None:
    with pytest.raises(AttributeError):
        record().value = b"other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        record().note = b"other"  # type: ignore[attr-defined]


def test_repr_names_the_place() -> None:
    assert repr(record()) == "<Record orders/3 offset=7 key=b'k' value=b'v'>"
    assert len(repr(record(b"x" * 1000))) < 150


def test_record_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(record())) == record()


def test_expiry_counts_from_the_append() -> None:
    assert record(extras=encode_extras({"a": 1})).expires_at is None
    expires_at = record(extras=encode_extras(None, {"ttl_us": 2_000_000})).expires_at
    assert expires_at == datetime(2023, 11, 14, 22, 13, 22, 1, tzinfo=UTC)
