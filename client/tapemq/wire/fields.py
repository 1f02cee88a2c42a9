"""Fields of message headers: types, limits, and their msgpack map."""

from collections.abc import Callable
from typing import Any, Final, get_type_hints

import msgpack

from tapemq.wire.errors import ProtocolError
from tapemq.wire.limits import ITEMS_MAX, TEXT_BYTES_MAX

U64_MAX: Final = 2**64 - 1

Settings = dict[str, int | str | bool]
"""A map of named settings, as topics have them."""

Check = Callable[[Any], bool]

_UNPACK_LIMITS: Final[dict[str, Any]] = {
    "strict_map_key": True,
    "max_array_len": ITEMS_MAX,
    "max_map_len": ITEMS_MAX,
    "max_str_len": TEXT_BYTES_MAX,
    "max_bin_len": TEXT_BYTES_MAX,
    "max_ext_len": 0,
}


def _is_u64(value: Any) -> bool:
    return type(value) is int and 0 <= value <= U64_MAX


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_settings(value: Any) -> bool:
    return type(value) is dict and all(
        type(name) is str and type(item) in (int, str, bool) for name, item in value.items()
    )


def _is_texts(value: Any) -> bool:
    return type(value) is list and all(map(_is_text, value))


def _is_numbers(value: Any) -> bool:
    return type(value) is list and all(map(_is_u64, value))


_CHECKS: Final[dict[Any, tuple[str, Check]]] = {
    int: ("u64", _is_u64),
    bool: ("boolean", lambda value: type(value) is bool),
    str: ("text", _is_text),
    bytes: ("bytes", lambda value: type(value) is bytes),
    list[str]: ("array of text", _is_texts),
    list[int]: ("array of u64", _is_numbers),
    Settings: ("map of settings", _is_settings),
}


class Shape:
    """The fields of one message class, for encoding, decoding and documentation."""

    def __init__(self, message: type[Any]) -> None:
        self.message = message
        hints = get_type_hints(message)
        self.names: tuple[str, ...] = message._fields
        self.defaults: dict[str, Any] = message._field_defaults
        self.types = {name: _CHECKS[hints[name]][0] for name in self.names}
        self._checks = {name: _CHECKS[hints[name]][1] for name in self.names}
        self._required = frozenset(self.names) - frozenset(self.defaults)

    def encode(self, message: tuple[Any, ...]) -> bytes:
        """The msgpack map; fields that have their default are left out."""
        defaults = self.defaults
        fields = {
            name: value
            for name, value in zip(self.names, message, strict=True)
            if name not in defaults or value != defaults[name]
        }
        return bytes(msgpack.packb(fields))

    def decode(self, header: bytes | memoryview) -> Any:
        """A message. Unknown fields are skipped: they are a newer peer's.

        Raises ProtocolError for what is not a map, misses a field or has one of a wrong type.
        """
        given = _unpack_map(header)
        checks = self._checks
        known = {name: value for name, value in given.items() if name in checks}
        for name, value in known.items():
            if not checks[name](value):
                raise ProtocolError(
                    f"{self.message.__name__}.{name} is {value!r:.60}, not {self.types[name]}"
                )
        if not self._required <= known.keys():
            missing = ", ".join(sorted(self._required - known.keys()))
            raise ProtocolError(f"{self.message.__name__} misses {missing}")
        return self.message(**known)


def _unpack_map(header: bytes | memoryview) -> dict[str, Any]:
    try:
        given = msgpack.unpackb(header, **_UNPACK_LIMITS)
    except Exception as error:  # msgpack raises half a dozen unrelated types on bad input
        raise ProtocolError(f"a header is not msgpack within the limits: {error}") from None
    if type(given) is not dict:
        raise ProtocolError(f"a header is a {type(given).__name__}, not a map")
    if len(given) != _entries_claimed(header):
        raise ProtocolError("a header names a field twice")
    return given


def _entries_claimed(header: bytes | memoryview) -> int:
    """How many entries a map's first bytes announce: duplicates vanish in the dict."""
    first = header[0]
    if first & 0xF0 == 0x80:
        return first & 0x0F
    return int.from_bytes(header[1 : 3 if first == 0xDE else 5], "big")
