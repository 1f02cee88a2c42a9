"""What the broker has packed and kept, read back: every value has the type that it must have.

It lies behind checksums, so only another version, or a broken one, writes anything else. What is
wrong must refuse that one thing, not end the start.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgpack


class BadEntry(ValueError):
    """What is kept is not what this version keeps. The text says what is wrong with it."""


def unpack(data: bytes) -> Any:
    """Anything. Raises BadEntry."""
    try:
        return msgpack.unpackb(data)
    except ValueError as error:
        raise BadEntry(f"it is not packed as it should be: {error}") from None


def unpack_map(data: bytes, kinds: Mapping[str, type]) -> dict[str, Any]:
    """The fields of a map; those of a newer version are skipped. Raises BadEntry."""
    entry = check(unpack(data), dict, "the whole")
    return {name: check(entry.get(name), kind, name) for name, kind in kinds.items()}


def unpack_list(data: bytes, kinds: Sequence[type]) -> list[Any]:
    """The items of a list; those of a newer version behind them are skipped. Raises BadEntry."""
    return check_list(unpack(data), kinds)[: len(kinds)]


def check_list(items: Any, kinds: Sequence[type]) -> list[Any]:
    """A list that begins with items of these types. Raises BadEntry."""
    found: list[Any] = check(items, list, "the whole")
    if len(found) < len(kinds):
        raise BadEntry(f"it has {len(found)} fields, not {len(kinds)}")
    for number, (item, kind) in enumerate(zip(found, kinds, strict=False)):
        check(item, kind, f"field {number}")
    return found


def check(value: Any, kind: type, name: str) -> Any:
    """A value of a type; an integer is never negative. Raises BadEntry."""
    if type(value) is not kind:
        raise BadEntry(f"{name} is {_shortened(value)}, not of type {kind.__name__}")
    if isinstance(value, int) and value < 0:
        raise BadEntry(f"{name} is {value}, below 0")
    return value


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
