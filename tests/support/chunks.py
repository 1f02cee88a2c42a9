"""Chunks of a log, as a read brings them, made without one."""

from collections.abc import Sequence

from tapemq.batch import (
    Codec,
    Columns,
    Header,
    Kind,
    LogId,
    Role,
    checksum,
    decode_columns,
    encode_body,
    encode_extras,
    iter_batches,
)
from tapemq.batch.expiry import EXPIRY
from tapemq_broker.storage.record_log import Chunk

LOG = LogId(7, 0, Role.DATA)


def batch(
    base: int,
    values: Sequence[bytes],
    keys: Sequence[bytes | None] | None = None,
    *,
    codec: Codec = Codec.NONE,
    time_us: int = 0,
    ttls_us: Sequence[int] = (),
) -> bytes:
    """A batch of these values, from offset ``base`` on; no values: a mark."""
    extras = [encode_extras(None, {"ttl_us": ttl_us}) for ttl_us in ttls_us] or None
    columns, flags = Columns(values, keys, extras), EXPIRY if ttls_us else 0
    body = encode_body(columns, codec=codec, flags=flags) if values else b""
    header = Header(
        kind=Kind.DATA if values else Kind.MARK,
        flags=0,
        log_id=LOG,
        log_epoch=1,
        record_count=len(values),
        base_offset=base,
        batch_number=base,
        append_time_us=time_us,
        durable_upto=base,
        durable_batch=base,
        previous_checksum=0,
        body_length=len(body),
        body_checksum=checksum(body),
    )
    return header.encode()[0] + body


def numbered(base: int, count: int, size_bytes: int = 100, *, time_us: int = 0) -> bytes:
    """A batch of records whose values are their offsets, padded."""
    values = [b"%d" % offset for offset in range(base, base + count)]
    return batch(base, [value.ljust(size_bytes) for value in values], time_us=time_us)


def keyed(base: int, *keys: bytes | None) -> bytes:
    """A batch of records with these keys."""
    return batch(base, [b"value"] * len(keys), keys)


def chunk(*batches: bytes, next_offset: int, hint: object = None) -> Chunk:
    """What a read has brought that ends at ``next_offset``."""
    data = b"".join(batches)
    count = sum(header.record_count for header, _ in iter_batches(data))
    return Chunk(memoryview(data), count, next_offset, hint)


def offsets(data: bytes | memoryview) -> list[int]:
    """The offsets of the records in some batches, which must be those that numbered() has made."""
    found: list[int] = []
    for header, body in iter_batches(data):
        values = decode_columns(body).values
        assert [int(value or b"") for value in values] == list(
            range(header.base_offset, header.next_offset)
        )
        found += map(int, (value or b"" for value in values))
    return found
