"""The producer's half of a batch: sequence, tables and columns."""

from collections.abc import Sequence
from enum import IntFlag
from struct import Struct
from typing import Final, NamedTuple

from tapemq.batch.codec import Codec, compress, decompress
from tapemq.batch.columns import (
    LENGTH_BYTES,
    Lengths,
    column_bytes,
    decode_lengths,
    encode_column,
    split_column,
    split_sparse_column,
)
from tapemq.batch.errors import BatchError, UnknownFormat
from tapemq.batch.extras import check_extras
from tapemq.batch.limits import BODY_BYTES_MAX, COUNT_MAX, DATA_BYTES_MAX, RECORD_BYTES_MAX

VERSION: Final = 1

_PREFIX: Final = Struct(
    ">"
    "B"  # version
    "B"  # codec
    "H"  # flags
    "I"  # count
    "Q"  # producer_id
    "I"  # producer_epoch
    "I"  # extension_length
    "Q"  # first_sequence
    "Q"  # producer_time_us
    "I"  # data_length
)
BODY_PREFIX_BYTES: Final = _PREFIX.size
assert BODY_PREFIX_BYTES == 44


class BodyFlag(IntFlag):
    """Bits of a body's ``flags``."""

    KEYS = 1
    EXTRAS = 2
    TOMBSTONES = 4
    EXPIRY = 8
    PRIORITY = 16
    CONTROL = 32


# Plain integers: an operation on an IntFlag costs 1 µs, and each batch has some.
_KEYS: Final = int(BodyFlag.KEYS)
_EXTRAS: Final = int(BodyFlag.EXTRAS)
_TOMBSTONES: Final = int(BodyFlag.TOMBSTONES)
_KNOWN_FLAGS: Final = int(sum(BodyFlag))
_CODECS: Final = {int(codec): codec for codec in Codec}


class BodyPrefix(NamedTuple):
    """The fixed part of a body; the specification of each field is in ``tapemq.batch``."""

    codec: Codec
    flags: int
    record_count: int
    producer_id: int
    producer_epoch: int
    extension_length: int
    first_sequence: int
    producer_time_us: int
    data_length: int


class Columns(NamedTuple):
    """The records of a body, by column. ``keys`` and ``extras`` are None if no record has any."""

    values: Sequence[bytes | None]
    keys: Sequence[bytes | None] | None = None
    extras: Sequence[bytes] | None = None


def encode_body(
    columns: Columns,
    *,
    producer_id: int = 0,
    producer_epoch: int = 0,
    first_sequence: int = 0,
    producer_time_us: int = 0,
    codec: Codec = Codec.NONE,
    extension: bytes = b"",
) -> bytes:
    """A body of 1 to COUNT_MAX records. Raises BatchError when it is over a limit."""
    count = len(columns.values)
    if not 1 <= count <= COUNT_MAX:
        raise BatchError(f"a batch of {count} records; 1 to {COUNT_MAX} are allowed")
    if any(column is not None and len(column) != count for column in columns[1:]):
        raise BatchError(f"keys or extras are not as many as the {count} values")
    present = [encode_column(column) for column in columns if column is not None]
    data = b"".join([column.data for column in present])
    prefix = _PREFIX.pack(
        VERSION,
        codec,
        _flags(columns, tombstones=present[0].sparse),
        count,
        producer_id,
        producer_epoch,
        len(extension),
        first_sequence,
        producer_time_us,
        len(data),
    )
    tables = [column.table for column in present]
    body = b"".join((prefix, extension, *tables, compress(codec, data)))
    _check_sizes(len(body), len(data))
    if len(data) > RECORD_BYTES_MAX:
        _check_longest(max(_longest(decode_lengths(table)) for table in tables))
    return body


def _check_sizes(body_bytes: int, data_bytes: int) -> None:
    if body_bytes > BODY_BYTES_MAX or data_bytes > DATA_BYTES_MAX:
        raise BatchError(
            f"a body of {body_bytes} bytes with {data_bytes} of data; the limits are "
            f"{BODY_BYTES_MAX} and {DATA_BYTES_MAX}"
        )


def _check_longest(size_bytes: int) -> None:
    if size_bytes > RECORD_BYTES_MAX:
        raise BatchError(f"a value or key of {size_bytes} bytes; {RECORD_BYTES_MAX} are allowed")


def _flags(columns: Columns, *, tombstones: bool) -> int:
    flags = _TOMBSTONES if tombstones else 0
    if columns.keys is not None:
        flags |= _KEYS
    if columns.extras is not None:
        flags |= _EXTRAS
    return flags


def decode_prefix(body: bytes | memoryview) -> BodyPrefix:
    """The fixed part. Raises BatchError or UnknownFormat; looks at nothing behind it."""
    if len(body) < BODY_PREFIX_BYTES:
        raise BatchError(f"a body takes at least {BODY_PREFIX_BYTES} bytes, this has {len(body)}")
    version, codec, *rest = _PREFIX.unpack_from(body)
    if version != VERSION or codec not in _CODECS or rest[0] & ~_KNOWN_FLAGS:
        raise UnknownFormat(f"body version {version}, codec {codec}, flags {rest[0]:#x}")
    prefix = BodyPrefix(_CODECS[codec], *rest)
    if not 1 <= prefix.record_count <= COUNT_MAX:
        raise BatchError(f"a body of {prefix.record_count} records; 1 to {COUNT_MAX} are allowed")
    _check_sizes(len(body), prefix.data_length)
    return prefix


class _Layout(NamedTuple):
    """Where the parts of a body are."""

    prefix: BodyPrefix
    values: "Lengths[int]"
    keys: "Lengths[int] | None"
    extras: "Lengths[int] | None"
    data_position: int


def _layout(body: bytes | memoryview) -> _Layout:
    """Read the tables and check that they and the prefix agree with the body's size."""
    prefix = decode_prefix(body)
    table_bytes = LENGTH_BYTES * prefix.record_count
    has_keys = bool(prefix.flags & _KEYS)
    has_extras = bool(prefix.flags & _EXTRAS)
    start = BODY_PREFIX_BYTES + prefix.extension_length
    data_position = start + table_bytes * (1 + has_keys + has_extras)
    if data_position > len(body):
        raise BatchError(
            f"{prefix.record_count} records and their tables do not fit in {len(body)} bytes"
        )
    tables = [
        decode_lengths(body[position : position + table_bytes])
        for position in range(start, data_position, table_bytes)
    ]
    values = tables[0]
    keys = tables[1] if has_keys else None
    extras = tables[-1] if has_extras else None
    named = sum(map(column_bytes, tables))
    if named != prefix.data_length:
        raise BatchError(f"the lengths add up to {named}, the data area is {prefix.data_length}")
    if not prefix.flags & _TOMBSTONES and sum(values) > named:
        raise BatchError("a record has no value, but the body is not flagged for tombstones")
    if extras is not None and column_bytes(extras) != sum(extras):
        raise BatchError("extras of a record are missing; empty ones have the length 0")
    return _Layout(prefix, values, keys, extras, data_position)


def check_body(body: bytes | memoryview) -> tuple[BodyPrefix, int]:
    """Prove that decode_columns() will succeed; also the length of the longest value or key.

    This is what a broker does with a body from a stranger: everything is checked without building
    a record, except headers, which are decoded, and compressed data, which is inflated (bounded).
    Raises BatchError or UnknownFormat.
    """
    layout = _layout(body)
    prefix = layout.prefix
    if prefix.codec is Codec.NONE and len(body) - layout.data_position != prefix.data_length:
        raise BatchError(
            f"the data area takes {len(body) - layout.data_position} bytes, "
            f"its prefix says {prefix.data_length}"
        )
    if prefix.codec is not Codec.NONE or layout.extras is not None:
        _check_extras(layout, _data(body, layout))
    longest = max(_longest(lengths) for lengths in (layout.values, layout.keys) if lengths)
    _check_longest(longest)
    return prefix, longest


def _longest(lengths: "Lengths[int]") -> int:
    longest = max(lengths)
    if longest <= DATA_BYTES_MAX:
        return longest
    return max((length for length in lengths if length <= DATA_BYTES_MAX), default=0)


def _data(body: bytes | memoryview, layout: _Layout) -> bytes:
    rest = bytes(body[layout.data_position :])
    return decompress(layout.prefix.codec, rest, layout.prefix.data_length)


def _extras(layout: _Layout, data: bytes) -> Sequence[bytes] | None:
    if layout.extras is None:
        return None
    return split_column(data, len(data) - sum(layout.extras), layout.extras)


def _check_extras(layout: _Layout, data: bytes) -> None:
    check_extras(set(_extras(layout, data) or ()))  # often the same for every record


def decode_columns(body: bytes | memoryview) -> Columns:
    """The records of a body. Raises BatchError or UnknownFormat."""
    layout = _layout(body)
    data = _data(body, layout)
    values: Sequence[bytes | None]
    if layout.prefix.flags & _TOMBSTONES:
        values = split_sparse_column(data, 0, layout.values)
    else:
        values = split_column(data, 0, layout.values)
    keys = None
    if layout.keys is not None:
        keys = split_sparse_column(data, column_bytes(layout.values), layout.keys)
    return Columns(values, keys, _extras(layout, data))
