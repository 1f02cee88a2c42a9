import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import BatchError, UnknownFormat
from tapemq.batch.codec import Codec, compress, decompress
from tests.support.batches import codecs

BOTH = [Codec.ZLIB, Codec.ZSTD]


@given(codecs, st.binary(max_size=200))
def test_round_trip(codec: Codec, data: bytes) -> None:
    assert decompress(codec, compress(codec, data), len(data)) == data


@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize("size_bytes", [0, 4, 6, 1_000_000])
def test_other_size_is_refused(codec: Codec, size_bytes: int) -> None:
    with pytest.raises(BatchError, match="data area"):
        decompress(codec, compress(codec, b"12345"), size_bytes)


@pytest.mark.parametrize("codec", BOTH)
def test_what_is_not_one_whole_stream_is_refused(codec: Codec) -> None:
    whole = compress(codec, b"12345" * 9)
    for data in [whole[:cut] for cut in range(len(whole))] + [whole + b"x", whole + whole]:
        with pytest.raises(BatchError):
            decompress(codec, data, 45)


@pytest.mark.parametrize("codec", BOTH)
@given(data=st.binary(max_size=50))
def test_rubbish_is_refused(codec: Codec, data: bytes) -> None:
    with pytest.raises(BatchError):
        decompress(codec, data, 7)


def test_large_window_is_refused_before_its_memory_is_taken() -> None:
    # A zstd frame without content size, whose window is 2^27 bytes, holding one empty block.
    bomb = b"\x28\xb5\x2f\xfd\x00" + bytes([(27 - 10) << 3]) + b"\x01\x00\x00"
    with pytest.raises(BatchError, match="too much memory"):
        decompress(Codec.ZSTD, bomb, 0)
    fits = bomb[:5] + bytes([(25 - 10) << 3]) + bomb[6:]
    assert decompress(Codec.ZSTD, fits, 0) == b""


def test_zlib_with_another_checksum_is_refused() -> None:
    data = zlib.compress(b"12345")
    with pytest.raises(BatchError, match="ZLIB"):
        decompress(Codec.ZLIB, data[:-1] + bytes([data[-1] ^ 1]), 5)


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression", "backports"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnknownFormat, match=r'pip install "tapemq\[zstd\]"'):
        compress(Codec.ZSTD, b"")
    with pytest.raises(UnknownFormat, match="not installed"):
        decompress(Codec.ZSTD, b"", 0)
