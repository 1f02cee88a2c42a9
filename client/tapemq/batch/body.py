"""The producer's half of a batch: sequence, tables and columns."""

from collections.abc import Iterator, Sequence
from enum import IntFlag
from itertools import chain, repeat
from struct import Struct
from typing import Any, Final, NamedTuple

from tapemq.batch.codec import Codec, compress, decompress
from tapemq.batch.columns import encode_column
from tapemq.batch.errors import BatchError, UnknownFormat
from tapemq.batch.extras import check_extras
from tapemq.batch.lengths import LENGTH_BYTES, Lengths
from tapemq.batch.limits import BODY_BYTES_MAX, COUNT_MAX, DATA_BYTES_MAX, RECORD_BYTES_MAX

VERSION: Final = 1

_RUN_RECORDS: Final = 512
_RUN_BYTES: Final = 128 * 1024
"""Records that are decoded together: few enough to stay in the processor's cache."""

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


class Numbers(NamedTuple):
    """Who made a batch, where it is in the order of what they make, and when (microseconds)."""

    producer_id: int = 0
    producer_epoch: int = 0
    first_sequence: int = 0
    producer_time_us: int = 0


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
    flags: int = 0,
) -> bytes:
    """A body of 1 to COUNT_MAX records. Raises BatchError when it is over a limit."""
    numbers = Numbers(producer_id, producer_epoch, first_sequence, producer_time_us)
    return b"".join(encode_parts(columns, numbers, codec=codec, extension=extension, flags=flags))


def encode_parts(
    columns: Columns,
    numbers: Numbers,
    *,
    codec: Codec = Codec.NONE,
    extension: bytes = b"",
    flags: int = 0,
) -> tuple[bytes, bytes]:
    """encode_body() in two parts, so that the records are copied once only.

    ``flags`` beside those that follow from the columns.
    """
    count = len(columns.values)
    if not 1 <= count <= COUNT_MAX:
        raise BatchError(f"a batch of {count} records; 1 to {COUNT_MAX} are allowed")
    if any(column is not None and len(column) != count for column in columns[1:]):
        raise BatchError(f"keys or extras are not as many as the {count} values")
    present = [encode_column(column) for column in columns if column is not None]
    tables = [column.table for column in present]
    entries = list(chain.from_iterable(column.entries for column in present))
    head_bytes = len(extension) + sum(map(len, tables))
    if codec is Codec.NONE:
        rest = b"".join([extension, *tables, *entries])
        data_bytes = len(rest) - head_bytes
    else:
        data = b"".join(entries)
        rest = b"".join((extension, *tables, compress(codec, data)))
        data_bytes = len(data)
    _check_sizes(BODY_PREFIX_BYTES + len(rest), data_bytes)
    if data_bytes > RECORD_BYTES_MAX:
        _check_longest(max(map(len, entries)))
    prefix = BodyPrefix(
        codec,
        flags | _flags(columns, tombstones=present[0].sparse),
        count,
        numbers.producer_id,
        numbers.producer_epoch,
        len(extension),
        numbers.first_sequence,
        numbers.producer_time_us,
        data_bytes,
    )
    return encode_prefix(prefix), rest


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


def encode_prefix(prefix: BodyPrefix) -> bytes:
    """The first 44 bytes of a body."""
    return _PREFIX.pack(VERSION, *prefix)


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


class Layout(NamedTuple):
    """Where the parts of a body are."""

    prefix: BodyPrefix
    values: Lengths
    keys: Lengths | None
    extras: Lengths | None
    data_position: int


def read_layout(body: bytes | memoryview) -> Layout:
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
        Lengths(body[position : position + table_bytes])
        for position in range(start, data_position, table_bytes)
    ]
    values = tables[0]
    keys = tables[1] if has_keys else None
    extras = tables[-1] if has_extras else None
    named = sum(table.total_bytes for table in tables)
    if named != prefix.data_length:
        raise BatchError(f"the lengths add up to {named}, the data area is {prefix.data_length}")
    if values.missing and not prefix.flags & _TOMBSTONES:
        raise BatchError("a record has no value, but the body is not flagged for tombstones")
    if extras is not None and extras.missing:
        raise BatchError("extras of a record are missing; empty ones have the length 0")
    return Layout(prefix, values, keys, extras, data_position)


def check_body(body: bytes | memoryview) -> tuple[BodyPrefix, int]:
    """Prove that decode_columns() will succeed; also the length of the longest value or key.

    This is what a broker does with a body from a stranger: everything is checked without building
    a record, except headers, which are decoded, and compressed data, which is inflated (bounded).
    Raises BatchError or UnknownFormat.
    """
    layout = read_layout(body)
    prefix = layout.prefix
    _check_extras(layout, _data(body, layout))
    longest = max(table.longest for table in (layout.values, layout.keys) if table)
    _check_longest(longest)
    return prefix, longest


def _data(body: bytes | memoryview, layout: Layout) -> bytes | memoryview:
    prefix = layout.prefix
    rest = memoryview(body)[layout.data_position :]
    if prefix.codec is not Codec.NONE:
        return decompress(prefix.codec, bytes(rest), prefix.data_length)
    if len(rest) != prefix.data_length:
        raise BatchError(
            f"the data area takes {len(rest)} bytes, its prefix says {prefix.data_length}"
        )
    return rest


def _extras_start(layout: Layout) -> int:
    return layout.values.total_bytes + (layout.keys.total_bytes if layout.keys else 0)


def _check_extras(layout: Layout, data: bytes | memoryview) -> None:
    if layout.extras is not None:
        extras: Any = layout.extras.split(data, _extras_start(layout))
        check_extras(set(extras))  # often the same for every record


def decode_columns(body: bytes | memoryview) -> Columns:
    """The records of a body. Raises BatchError or UnknownFormat."""
    layout = read_layout(body)
    data = _data(body, layout)
    keys: Any = layout.keys and layout.keys.split(data, layout.values.total_bytes)
    extras: Any = layout.extras and layout.extras.split(data, _extras_start(layout))
    return Columns(layout.values.split(data, 0), keys, extras)


def decode_keys(body: bytes | memoryview) -> Sequence[bytes | None]:
    """The keys of a body's records. Raises as decode_columns()."""
    layout = read_layout(body)
    if layout.keys is None:
        return [None] * layout.values.count
    return layout.keys.split(_data(body, layout), layout.values.total_bytes)


def decode_extras_column(body: bytes | memoryview) -> Sequence[bytes]:
    """The extras of a body's records, each still encoded. Raises as decode_columns()."""
    layout = read_layout(body)
    if layout.extras is None:
        return [b""] * layout.values.count
    extras: Any = layout.extras.split(_data(body, layout), _extras_start(layout))
    return list(extras)


def decode_runs(body: bytes | memoryview) -> Iterator[Columns]:
    """The records of a body, at most 512 at a time. Raises as decode_columns()."""
    layout = read_layout(body)
    data = _data(body, layout)
    prefix = layout.prefix
    fitting = _RUN_BYTES * prefix.record_count // max(prefix.data_length, 1)
    count = max(1, min(_RUN_RECORDS, fitting))
    nothing: Any = repeat(None)
    values, keys = layout.values, layout.keys
    yield from map(
        Columns,
        values.runs(data, 0, count),
        keys.runs(data, values.total_bytes, count) if keys else nothing,
        layout.extras.runs(data, _extras_start(layout), count) if layout.extras else nothing,
    )
