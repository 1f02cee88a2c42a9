import struct

import pytest

from tapemq_broker.cli.bench.load import SIZE_BYTES_MIN, Load, stamp


@pytest.mark.parametrize("size_bytes", [SIZE_BYTES_MIN, 100, 1024])
def test_a_value_has_its_size_and_tells_who_it_is(size_bytes: int) -> None:
    value = Load(10, size_bytes, None).value(7, 1.25)
    assert len(value) == size_bytes
    assert stamp(value) == (7, 1.25)


def test_another_value_is_not_taken_for_one() -> None:
    with pytest.raises(struct.error):
        stamp(b"short")
