"""A dict that nobody may walk over: what is said to cost the same for any number."""

from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Unwalked(dict[K, V]):
    """Fails whoever takes the first of its entries in turn."""

    def __iter__(self) -> Iterator[Any]:
        return map(_refuse, "?")

    def keys(self) -> Any:
        return iter(self)

    def values(self) -> Any:
        return iter(self)

    def items(self) -> Any:
        return iter(self)


def _refuse(_: str) -> NoReturn:
    raise AssertionError("all of it is walked over")
