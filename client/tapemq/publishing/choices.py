"""What an application may choose about publishing, checked."""

from typing import Final, Literal

from tapemq.batch import Codec
from tapemq.batch.codec import compress
from tapemq.publishing.item import batch_bytes_max
from tapemq.publishing.lane import IN_FLIGHT_MAX, LaneOptions
from tapemq.timeouts import check_timeout
from tapemq.wire.messages import Welcome

Compression = Literal["zlib", "zstd"]

_CODECS: Final = {None: Codec.NONE, "zlib": Codec.ZLIB, "zstd": Codec.ZSTD}
_PUBLISH_BATCH_BYTES: Final = 128 * 1024
IN_FLIGHT: Final = 16
# Full batches only form under load, and then large ones cost least: against 128 KiB, batches of
# 1 MiB carry 1.35 times the records of 100 B and 1.8 times those of 64 KiB on two cores, on an
# otherwise idle machine. See "Settings" in benchmarks/README.md.
BATCH_BYTES: Final = 1024 * 1024


def publish_lanes(limits: Welcome) -> LaneOptions:
    """For records that are published one by one."""
    return LaneOptions(min(_PUBLISH_BATCH_BYTES, batch_bytes_max(limits)), max_in_flight=IN_FLIGHT)


def producer_lanes(
    limits: Welcome,
    *,
    linger: float,
    batch_bytes: int,
    compression: Compression | None,
    max_in_flight: int,
) -> LaneOptions:
    """For a producer: see ``Client.producer``. Raises ValueError."""
    if not 1024 <= batch_bytes <= 1024 * 1024:
        raise ValueError(f"batch_bytes is 1024 to {1024 * 1024}, not {batch_bytes}")
    if not 1 <= max_in_flight <= IN_FLIGHT_MAX:
        raise ValueError(f"max_in_flight is 1 to {IN_FLIGHT_MAX}, not {max_in_flight}")
    if check_timeout("linger", linger) < 0:
        raise ValueError(f"linger is not negative, in seconds, not {linger}")
    if compression not in _CODECS:
        raise ValueError(f'compression is None, "zlib" or "zstd", not {compression!r}')
    codec = _CODECS[compression]
    compress(codec, b"")  # raises now if its library is missing
    return LaneOptions(min(batch_bytes, batch_bytes_max(limits)), linger, max_in_flight, codec)
