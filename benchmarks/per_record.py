"""What Python itself costs for each record: `python -m benchmarks.per_record`.

Reading: records of five fields are made from columns, as a consumer makes them of a batch, in ways
that look alike from outside; they are taken from an iterator, and with `async for` from a
generator, from one that fills the slots itself, or from an object whose `__anext__` is a coroutine.
Sending: a coroutine that does nothing is called and awaited, with five options that are
keyword-only or not, and without any; and a producer is given values, into a batch that is never
full. No broker, no network: CPU time of one process, the least of some repetitions, in turns. The
figures are in docs/adr/0010-per-record.md.
"""

import argparse
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from importlib.metadata import version
from itertools import count, repeat
from time import process_time_ns
from typing import Any, NamedTuple

import msgspec
import uvloop

import tapemq
from tapemq.publishing.open_batch import OpenBatch

RUN = 512
VALUES = tuple(bytes(100) for _ in range(RUN))
FIELDS = (VALUES, repeat(None), count(1_000_000), repeat(b""), repeat("source"))
Make = Callable[[], Iterator[Any]]


class _Named(NamedTuple):
    value: bytes
    key: bytes | None
    offset: int
    extras: bytes
    source: str


class AsTuple(tuple[Any, ...]):
    """A tuple with getters."""

    __slots__ = ()
    value = _Named.value


class AsObject:
    """An object with slots."""

    __slots__ = ("extras", "key", "offset", "source", "value")

    def __init__(
        self, value: bytes, key: bytes | None, offset: int, extras: bytes, source: str
    ) -> None:
        self.value = value
        self.key = key
        self.offset = offset
        self.extras = extras
        self.source = source


class AsStruct(msgspec.Struct, frozen=True, gc=False):
    """A struct of msgspec."""

    value: bytes
    key: bytes | None
    offset: int
    extras: bytes
    source: str


class AsTrackedStruct(msgspec.Struct, frozen=True):
    """A struct that the collector of garbage looks at."""

    value: bytes
    key: bytes | None
    offset: int
    extras: bytes
    source: str


class _Slots:
    __slots__ = AsObject.__slots__


WAYS: dict[str, Make] = {
    "tuple": lambda: map(AsTuple, zip(*FIELDS, strict=False)),
    "object": lambda: map(AsObject, *FIELDS),
    "struct": lambda: map(AsStruct, *FIELDS),
    "tracked struct": lambda: map(AsTrackedStruct, *FIELDS),
}


async def keyword_only(
    value: bytes, *, a: None = None, b: None = None, c: None = None, d: None = None, e: int = 0
) -> None:
    """Options as most libraries have them."""


async def by_any_name(
    value: bytes, a: None = None, b: None = None, c: None = None, d: None = None, e: int = 0
) -> None:
    """Options that might be given by position."""


async def without_options(value: bytes) -> None:
    """What calling and awaiting costs."""


CALLS: dict[str, Callable[[bytes], Awaitable[None]]] = {
    "keyword-only": keyword_only,
    "by any name": by_any_name,
    "no options": without_options,
}


async def generate(make: Make, runs: int) -> AsyncIterator[Any]:
    """The records of some runs, as a stream yields them."""
    for _ in range(runs):
        for record in make():
            yield record


async def fill(runs: int) -> AsyncIterator[Any]:
    """The same, each slot filled here."""
    for _ in range(runs):
        for value, key, offset, extras, source in zip(*FIELDS, strict=False):
            record: Any = _Slots()
            record.value = value
            record.key = key
            record.offset = offset
            record.extras = extras
            record.source = source
            yield record


class Coroutines:
    """An iterator whose ``__anext__`` is a coroutine."""

    def __init__(self, make: Make, runs: int) -> None:
        self._make = make
        self._left = runs
        self._records: Iterator[Any] = iter(())

    def __aiter__(self) -> "Coroutines":
        return self

    async def __anext__(self) -> Any:
        for record in self._records:
            return record
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        self._records = self._make()
        return next(self._records)


async def made(make: Make, runs: int) -> None:
    """Make records and drop them."""
    for _ in range(runs):
        for _record in make():
            pass


async def read(source: Callable[[int], AsyncIterator[Any]], runs: int) -> None:
    """Read records with `async for`, and look at their values."""
    async for record in source(runs):
        _ = record.value


async def sent(call: Callable[[bytes], Awaitable[None]], runs: int) -> None:
    """Call and await for each record."""
    value = VALUES[0]
    for _ in range(runs * RUN):
        await call(value)


SOURCES: dict[str, Callable[[int], AsyncIterator[Any]]] = {
    **{name: partial(generate, make) for name, make in WAYS.items()},
    "slots filled": fill,
    "tuple, coroutine": partial(Coroutines, WAYS["tuple"]),
    "struct, coroutine": partial(Coroutines, WAYS["struct"]),
}


def gathering() -> tapemq.Producer:
    """A producer whose open batch is never full."""
    nobody: Any = None
    producer = tapemq.Producer(nobody, nobody, 0, 0.0)
    producer._open = OpenBatch(1 << 40, 0, 0.0, 0.0)
    return producer


async def handed_over(runs: int) -> None:
    """Hand values to a producer, one by one."""
    producer, value = gathering(), VALUES[0]
    for _ in range(runs * RUN):
        await producer.send(value)


async def handed_over_together(runs: int) -> None:
    """Hand them over a list at a time."""
    producer, values = gathering(), list(VALUES)
    for _ in range(runs):
        await producer.send_many(values)


def cases(runs: int) -> dict[str, Callable[[], Awaitable[None]]]:
    """All that is measured, by name."""
    return {
        **{f"made, {name}": partial(made, make, runs) for name, make in WAYS.items()},
        **{f"read, {name}": partial(read, source, runs) for name, source in SOURCES.items()},
        **{f"sent, {name}": partial(sent, call, runs) for name, call in CALLS.items()},
        "Producer.send": partial(handed_over, runs),
        "Producer.send_many": partial(handed_over_together, runs),
    }


async def measure(runs: int, repetitions: int) -> dict[str, float]:
    """Nanoseconds of CPU for each record, the least of all repetitions, by case."""
    least: dict[str, float] = {}
    for _ in range(repetitions):
        for name, case in cases(runs).items():
            start_ns = process_time_ns()
            await case()
            took_ns = (process_time_ns() - start_ns) / runs / RUN
            least[name] = min(took_ns, least.get(name, took_ns))
    return least


def main() -> None:
    """Print each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="of 512 records; default: %(default)s")
    parser.add_argument("--repetitions", type=int, default=50, help="default: %(default)s")
    chosen = parser.parse_args()
    print(
        f"python {platform.python_version()}, msgspec {version('msgspec')}, "
        f"uvloop {version('uvloop')}; least of {chosen.repetitions} x {chosen.runs * RUN} records"
    )
    for name, took_ns in uvloop.run(measure(chosen.runs, chosen.repetitions)).items():
        print(f"{name:25} {took_ns:4.0f} ns")


if __name__ == "__main__":
    main()
