"""What a record carries beside key and value: headers and attributes."""

import reprlib
from collections.abc import Mapping
from typing import Any, Final

import msgpack

from tapemq.batch.errors import BatchError
from tapemq.batch.limits import EXTRAS_BYTES_MAX, EXTRAS_ENTRIES_MAX

Scalar = bytes | str | int | bool
"""What a header or an attribute may hold. Integers fit in 64 bits."""

_SCALARS: Final = (bytes, str, int)  # bool is an int
_UNPACK_LIMITS: Final[dict[str, Any]] = {
    "strict_map_key": True,
    "max_array_len": 2,
    "max_map_len": EXTRAS_ENTRIES_MAX,
    "max_ext_len": 0,
}


def encode_extras(
    headers: Mapping[str, Scalar] | None, attributes: Mapping[str, Scalar] | None = None
) -> bytes:
    """The extras of one record: ``b""`` if it has none. Raises BatchError for what cannot rest."""
    if not headers and not attributes:
        return b""
    maps = (dict(headers or {}), dict(attributes or {}))
    for entries in maps:
        _check_entries(entries)
    try:
        data = bytes(msgpack.packb(maps))
    except (OverflowError, ValueError) as error:
        raise BatchError(f"a header cannot be stored: {error}") from None
    _check_size(data)
    return data


def decode_extras(data: bytes) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
    """Headers and attributes of one record. Raises BatchError for anything else."""
    return _decode(data) if data else ({}, {})


def check_extras(data: bytes) -> None:
    """Raise BatchError for what decode_extras() would refuse, and for a name given twice.

    A reader that asked for names given twice would pay 0.8 µs a record for it.
    """
    if data:
        _decode(data, _unique)


def _decode(data: bytes, hook: Any = None) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
    _check_size(data)
    try:
        maps = msgpack.unpackb(data, object_pairs_hook=hook, **_UNPACK_LIMITS)
    except BatchError:
        raise
    except Exception as error:  # msgpack raises half a dozen unrelated types on bad input
        raise BatchError(
            f"headers are not msgpack within the limits: {type(error).__name__} {error!s:.60}"
        ) from None
    if type(maps) is not list or [type(entries) for entries in maps] != [dict, dict]:
        raise BatchError("headers are not an array of two maps")
    for entries in maps:
        _check_entries(entries)
    return maps[0], maps[1]


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise BatchError("a header's name is given twice")
    return entries


def _check_size(data: bytes) -> None:
    if len(data) > EXTRAS_BYTES_MAX:
        raise BatchError(f"headers of {len(data)} bytes; {EXTRAS_BYTES_MAX} are allowed")


def _check_entries(entries: Mapping[Any, Any]) -> None:
    if len(entries) > EXTRAS_ENTRIES_MAX:
        raise BatchError(f"{len(entries)} headers; {EXTRAS_ENTRIES_MAX} are allowed")
    for name, value in entries.items():
        if not isinstance(name, str) or not isinstance(value, _SCALARS):
            raise BatchError(
                f"header {reprlib.repr(name):.60} is {type(value).__name__}; names are text, "
                "values are bytes, text, integers or booleans"
            )
