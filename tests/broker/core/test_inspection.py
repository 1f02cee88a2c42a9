import pytest

from tapemq.batch import Codec, Columns, checksum, encode_body, encode_extras
from tapemq_broker.core.inspection import (
    LIGHT_DATA_BYTES,
    LIGHT_EXTRAS_BYTES,
    LIGHT_RECORDS,
    BatchLimits,
    inspect,
    is_heavy,
)
from tapemq_broker.core.refusal import Refused
from tests.support.bodies import body

LIMITS = BatchLimits(batch_bytes=1000, record_bytes=100)


def refusal(data: bytes | memoryview, body_checksum: int | None = None) -> str:
    own = checksum(data) if body_checksum is None else body_checksum
    with pytest.raises(Refused) as caught:
        inspect(data, own, LIMITS)
    return caught.value.refusal.name


def test_sound_body_gives_its_prefix() -> None:
    data = body(b"a", b"b", producer=9, sequence=4)
    prefix = inspect(data, checksum(data), LIMITS)
    assert (prefix.record_count, prefix.producer_id, prefix.first_sequence) == (2, 9, 4)


def test_bytes_that_are_no_batch() -> None:
    good = body(b"a")
    assert refusal(good, checksum(good) + 1) == "bad_batch"
    assert refusal(good[:-1]) == "bad_batch"
    assert refusal(memoryview(b"")) == "bad_batch"


def test_sizes_are_limited() -> None:
    longest = body(b"x" * 100)
    inspect(longest, checksum(longest), LIMITS)
    assert refusal(body(b"x" * 101)) == "batch_too_large"
    assert refusal(encode_body(Columns([b""], keys=[b"x" * 101]))) == "batch_too_large"
    assert refusal(body(*[b"x" * 90] * 12)) == "batch_too_large"


def test_what_would_grow_beyond_the_limit_is_not_inflated() -> None:
    bomb = encode_body(Columns([b"x" * 90] * 12), codec=Codec.ZLIB)
    assert len(bomb) < LIMITS.batch_bytes
    assert refusal(bomb) == "batch_too_large"


def test_only_what_takes_long_is_heavy() -> None:
    extras = encode_extras({"a": 1})
    many = [b""] * (LIGHT_RECORDS + 1)
    large = [b"x" * (LIGHT_DATA_BYTES + 1)]
    assert is_heavy(encode_body(Columns(many, None, [extras] * len(many))))
    assert is_heavy(encode_body(Columns(large), codec=Codec.ZLIB))
    assert not is_heavy(encode_body(Columns(many[1:], None, [extras] * LIGHT_RECORDS)))
    assert not is_heavy(encode_body(Columns(many)))
    assert not is_heavy(encode_body(Columns(large)))
    assert not is_heavy(b"no body at all")


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.ZLIB])
@pytest.mark.parametrize("has_keys", [True, False])
def test_few_records_with_very_many_headers_are_heavy(codec: Codec, has_keys: bool) -> None:
    extras = encode_extras({f"name {number}": number for number in range(64)})
    fitting = LIGHT_EXTRAS_BYTES // len(extras)
    for count, expected in ((fitting, False), (fitting + 1, True)):
        keys = [b"key"] * count if has_keys else None
        values = [b"value" * 10] * count
        whole = encode_body(Columns(values, keys, [extras] * count), codec=codec)
        assert is_heavy(whole) is expected
        assert not is_heavy(whole[:60])  # its tables are cut off: that is soon found
    assert not is_heavy(encode_body(Columns([b"x" * 2**20], None, [extras])))
