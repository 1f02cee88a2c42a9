"""Compression of a body's data area."""

import zlib
from enum import IntEnum
from typing import Any

from tapemq.batch.errors import BatchError, UnknownFormat


class Codec(IntEnum):
    """How a data area is compressed."""

    NONE = 0
    ZLIB = 1
    ZSTD = 2


# Fast settings: a broker's batches are small and short-lived in memory.
_ZLIB_LEVEL = 1
_ZSTD_LEVEL = 1

_ZSTD_WINDOW_LOG_MAX = 25
"""32 MiB, the first power of two above DATA_BYTES_MAX: a stream of 20 bytes could name 128 MiB."""


def _zstd() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        try:
            from backports import zstd  # type: ignore[no-redef, unused-ignore]
        except ImportError:
            raise UnknownFormat(
                'zstd is not installed here: pip install "tapemq[zstd]", or use zlib'
            ) from None
    return zstd


def compress(codec: Codec, data: bytes) -> bytes:
    """Compress ``data``. Raises UnknownFormat if the codec's library is not installed."""
    if codec is Codec.ZLIB:
        return zlib.compress(data, _ZLIB_LEVEL)
    if codec is Codec.ZSTD:
        return bytes(_zstd().compress(data, _ZSTD_LEVEL))
    return data


def decompress(codec: Codec, data: bytes, size_bytes: int) -> bytes:
    """Decompress to exactly ``size_bytes``, never building more than one byte beyond it.

    Raises BatchError when the data is damaged or of another size, UnknownFormat as compress().
    """
    plain = data if codec is Codec.NONE else _inflate(codec, data, size_bytes + 1)
    if len(plain) != size_bytes:
        raise BatchError(f"the data area holds {len(plain)} bytes, its prefix says {size_bytes}")
    return plain


def _inflate(codec: Codec, data: bytes, most_bytes: int) -> bytes:
    engine: Any
    if codec is Codec.ZLIB:
        engine, failure = zlib.decompressobj(), zlib.error
    else:
        zstd = _zstd()
        options = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG_MAX}
        engine, failure = zstd.ZstdDecompressor(options=options), zstd.ZstdError
    try:
        plain = bytes(engine.decompress(data, most_bytes))
    except failure as error:
        raise BatchError(f"the data area does not decompress as {codec.name}: {error}") from None
    if engine.unused_data or (len(plain) < most_bytes and not engine.eof):
        raise BatchError(f"the data area is not one whole {codec.name} stream")
    return plain
