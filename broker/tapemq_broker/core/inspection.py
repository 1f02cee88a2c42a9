"""What a broker asks of a body before it takes it: nothing undecodable is ever stored."""

from typing import Final, NamedTuple

from tapemq.batch import (
    BODY_PREFIX_BYTES,
    BatchError,
    BodyPrefix,
    Codec,
    check_body,
    checksum,
    decode_prefix,
)
from tapemq.batch.body import BodyFlag
from tapemq.batch.lengths import LENGTH_BYTES, Lengths
from tapemq_broker.core.refusal import Refused

LIGHT_DATA_BYTES: Final = 256 * 1024
"""Up to here inflating takes about a millisecond."""

LIGHT_RECORDS: Final = 2_000
"""Up to here decoding headers that all differ takes about 3 ms (1.4 µs a record)."""

LIGHT_EXTRAS_BYTES: Final = 160 * 1024
"""Up to here decoding few records with many headers takes 3 ms, and 15 ms where all are tiny."""

_EXTRAS: Final = int(BodyFlag.EXTRAS)
_KEYS: Final = int(BodyFlag.KEYS)


class BatchLimits(NamedTuple):
    """What a broker accepts, in bytes."""

    batch_bytes: int
    record_bytes: int


def is_heavy(body: bytes | memoryview) -> bool:
    """Whether inspect() may take longer than a turn of an event loop should."""
    try:
        prefix = decode_prefix(body)
    except BatchError:
        return False
    if prefix.codec is not Codec.NONE and prefix.data_length > LIGHT_DATA_BYTES:
        return True
    if not prefix.flags & _EXTRAS:
        return False
    return prefix.record_count > LIGHT_RECORDS or _extras_bytes(body, prefix) > LIGHT_EXTRAS_BYTES


def _extras_bytes(body: bytes | memoryview, prefix: BodyPrefix) -> int:
    """How much room the extras take, if that may matter; 0 if the table is cut off."""
    if prefix.data_length <= LIGHT_EXTRAS_BYTES:
        return 0
    table_bytes = LENGTH_BYTES * prefix.record_count
    tables_before = 2 if prefix.flags & _KEYS else 1
    start = BODY_PREFIX_BYTES + prefix.extension_length + table_bytes * tables_before
    table = body[start : start + table_bytes]
    return Lengths(table).total_bytes if len(table) == table_bytes else 0


def inspect(body: bytes | memoryview, body_checksum: int, limits: BatchLimits) -> BodyPrefix:
    """The prefix of a body that is sound and within the limits. Raises Refused."""
    if len(body) > limits.batch_bytes:
        raise Refused(
            "batch_too_large",
            f"a batch of {len(body)} bytes; batch_bytes_max is {limits.batch_bytes}",
        )
    if checksum(body) != body_checksum:
        raise Refused("bad_batch", "the body does not match the checksum that came with it")
    try:
        if (inflated := decode_prefix(body).data_length) > limits.batch_bytes:
            raise Refused(
                "batch_too_large",
                f"a batch of {inflated} bytes, decompressed; "
                f"batch_bytes_max is {limits.batch_bytes}",
            )
        prefix, longest = check_body(body)
    except BatchError as error:
        raise Refused("bad_batch", str(error)) from None
    if longest > limits.record_bytes:
        raise Refused(
            "batch_too_large",
            f"a record of {longest} bytes; record_bytes_max is {limits.record_bytes}",
        )
    return prefix
