"""Work of a start that mostly waits for the disk, some of it at a time."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tapemq_broker.storage.threads import started

T = TypeVar("T")
Made = TypeVar("Made")


def side_by_side(work: Callable[[T], Made], items: Iterable[T], threads: int) -> Iterator[Made]:
    """What it makes of all, in order. Once it fails for one, no other is begun."""
    if threads == 1:
        yield from map(work, items)
        return
    with started(threads, "tapemq-recovery") as pool:
        yield from pool.map(work, items)
