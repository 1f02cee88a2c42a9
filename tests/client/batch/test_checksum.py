import runpy
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import CRC32, checksum


def test_is_the_ieee_crc_32() -> None:
    assert CRC32 == 1
    assert checksum(b"123456789") == 0xCBF43926
    assert checksum(b"6789", checksum(b"12345")) == checksum(memoryview(b"123456789"))


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_is_the_same_with_either_library(data: bytes, start: int, skipped: int) -> None:
    view = memoryview(data * 9)[skipped:]  # vector code has its own ways for ends and odd starts
    assert checksum(view, start) == zlib.crc32(view, start)


def test_needs_the_standard_library_only(monkeypatch: pytest.MonkeyPatch) -> None:
    path = sys.modules["tapemq.batch.checksum"].__file__
    assert path is not None
    assert runpy.run_path(path)["checksum"] is not zlib.crc32
    monkeypatch.setitem(sys.modules, "zlib_ng.zlib_ng", None)
    assert runpy.run_path(path)["checksum"] is zlib.crc32
