import pytest

from tapemq.batch import Codec, Columns, encode_body, encode_extras
from tapemq.batch.expiry import EXPIRY, TTL_US_MAX, decode_ttls, may_expire, ttl_us_of
from tapemq.batch.extras import Scalar


@pytest.mark.parametrize(
    ("value", "ttl_us"),
    [(1, 1), (TTL_US_MAX, TTL_US_MAX), (0, 0), (-1, 0), (TTL_US_MAX + 1, 0), (True, 0), ("9", 0)],
)
def test_only_a_time_counts(value: Scalar, ttl_us: int) -> None:
    assert ttl_us_of({"ttl_us": value}) == ttl_us


def test_none_is_none() -> None:
    assert ttl_us_of({"other": 9}) == 0


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.ZLIB])
def test_each_record_has_its_own(codec: Codec) -> None:
    extras = [encode_extras(None, {"ttl_us": 7}), b"", encode_extras({"h": 1}, {"ttl_us": 8})]
    body = encode_body(Columns([b"a", b"b", b"c"], None, extras), codec=codec, flags=EXPIRY)
    assert may_expire(body)
    assert may_expire(b"front" + body, 5)
    assert list(decode_ttls(body)) == [7, 0, 8]


def test_a_plain_body_has_none() -> None:
    body = encode_body(Columns([b"a", b"b"]))
    assert not may_expire(body)
    assert list(decode_ttls(body)) == [0, 0]
