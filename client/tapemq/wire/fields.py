"""Fields of message headers: types, limits, and their msgpack map."""

import reprlib
from collections.abc import Callable, Iterable
from typing import Any, Final, get_type_hints

import msgpack

from tapemq.wire.errors import ProtocolError
from tapemq.wire.limits import DEPTH_MAX, ITEMS_MAX, MAPS_MAX, TEXT_BYTES_MAX, VALUES_MAX

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
    if type(value) is not int and (type(value) is bool or not isinstance(value, int)):
        return False
    return 0 <= value <= U64_MAX


def _is_boolean(value: Any) -> bool:
    return type(value) is bool


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value.encode("utf-8", "replace")) <= TEXT_BYTES_MAX


def _is_bytes(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) <= TEXT_BYTES_MAX


def _is_settings(value: Any) -> bool:
    return type(value) is dict and len(value) <= ITEMS_MAX and all(map(_is_setting, value.items()))


def _is_setting(item: tuple[Any, Any]) -> bool:
    name, value = item
    return _is_text(name) and (isinstance(value, int) or _is_text(value))  # bool is an int


def _is_list_of(check: Check) -> Check:
    def is_list(value: Any) -> bool:
        return isinstance(value, list) and len(value) <= ITEMS_MAX and all(map(check, value))

    return is_list


_CHECKS: Final[dict[Any, tuple[str, Check]]] = {
    int: ("u64", _is_u64),
    bool: ("boolean", _is_boolean),
    str: ("text", _is_text),
    bytes: ("bytes", _is_bytes),
    list[str]: ("array of text", _is_list_of(_is_text)),
    list[int]: ("array of u64", _is_list_of(_is_u64)),
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
        """The msgpack map; fields that have their default are left out.

        Raises ProtocolError for a value that the other side would have to refuse.
        """
        defaults = self.defaults
        fields = {
            name: value
            for name, value in zip(self.names, message, strict=True)
            if name not in defaults or value != defaults[name]
        }
        checks = self._checks
        for name, value in fields.items():
            if not checks[name](value):
                raise self._complaint(name, value)
        try:
            return bytes(msgpack.packb(fields))
        except (OverflowError, ValueError) as error:
            raise ProtocolError(f"{self.message.__name__} cannot be encoded: {error}") from None

    def decode(self, header: bytes | memoryview) -> Any:
        """A message. Unknown fields are skipped: they are a newer peer's.

        Raises ProtocolError for what is not a map, misses a field or has one of a wrong type.
        """
        known = {}
        checks = self._checks
        for name, value in _unpack_map(header).items():
            if name not in checks:
                _check_unknown(name, value)
            elif checks[name](value):
                known[name] = value
            else:
                raise self._complaint(name, value)
        if not self._required <= known.keys():
            missing = ", ".join(sorted(self._required - known.keys()))
            raise ProtocolError(f"{self.message.__name__} misses {missing}")
        return self.message(**known)

    def _complaint(self, name: str, value: Any) -> ProtocolError:
        return ProtocolError(
            f"{self.message.__name__}.{name} is {reprlib.repr(value):.60}, not {self.types[name]} "
            "within the limits"
        )


def _unpack_map(header: bytes | memoryview) -> dict[Any, Any]:
    try:
        given = msgpack.unpackb(header, object_pairs_hook=_Maps().take, **_UNPACK_LIMITS)
    except ProtocolError:
        raise
    except Exception as error:  # msgpack raises half a dozen unrelated types on bad input
        raise ProtocolError(
            f"a header is not msgpack within the limits: {type(error).__name__} {error!s:.60}"
        ) from None
    if type(given) is not dict:
        raise ProtocolError(f"a header is a {type(given).__name__}, not a map")
    return given


class _Maps:
    """Makes the maps of one header. Each is a call: of a header of 12 KiB they took 38 ms."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAPS_MAX

    def take(self, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
        """A map of these entries."""
        self._left -= 1
        if self._left < 0:
            raise ProtocolError(f"a header has more than {MAPS_MAX} maps")
        entries = dict(pairs)
        if len(entries) < len(pairs):
            raise ProtocolError("a header names a field twice")
        return entries


def _check_unknown(name: Any, value: Any) -> None:
    if type(name) is not str or not _is_plain(value):
        raise ProtocolError(f"a header's field {reprlib.repr(name):.60} is none that could ever be")


def _is_plain(value: Any) -> bool:
    """Whether a later version may send this: no floats, no other types, text for names."""
    values, left = [value], VALUES_MAX
    for _ in range(DEPTH_MAX):
        if not all(map(_is_plain_alone, values)):
            return False
        values = [entry for item in values for entry in _entries(item)]
        left -= len(values)
        if left < 0:
            return False
    return all(_is_plain_alone(item) and type(item) not in (dict, list) for item in values)


def _is_plain_alone(value: Any) -> bool:
    if type(value) is dict:
        return all(type(name) is str for name in value)
    return value is None or type(value) in (bool, int, str, bytes, list)


def _entries(value: Any) -> Iterable[Any]:
    if type(value) is dict:
        return value.values()
    return value if type(value) is list else ()
