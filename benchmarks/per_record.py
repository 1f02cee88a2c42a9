"""What Python itself costs for each record: `python -m benchmarks.per_record`.

Reading: records of five fields are made from columns, as a consumer makes them of a batch, in three
ways that look alike from outside; they are taken from an iterator, and with `async for` from a
generator. Sending: a coroutine that does nothing is called and awaited, with five options that are
keyword-only or not, and without any. No broker, no network: CPU time of one process, the least of
some repetitions, in turns. The figures are in docs/adr/0010-per-record.md.
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


WAYS: dict[str, Make] = {
    "tuple": lambda: map(AsTuple, zip(*FIELDS, strict=False)),
    "object": lambda: map(AsObject, *FIELDS),
    "struct": lambda: map(AsStruct, *FIELDS),
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


async def made(make: Make, runs: int) -> None:
    """Make records and drop them."""
    for _ in range(runs):
        for _record in make():
            pass


async def read(make: Make, runs: int) -> None:
    """Read them from a generator, and look at their values."""
    async for record in generate(make, runs):
        _ = record.value


async def sent(call: Callable[[bytes], Awaitable[None]], runs: int) -> None:
    """Call and await for each record."""
    value = VALUES[0]
    for _ in range(runs * RUN):
        await call(value)


def cases(runs: int) -> dict[str, Callable[[], Awaitable[None]]]:
    """All that is measured, by name."""
    return {
        **{f"made, {name}": partial(made, make, runs) for name, make in WAYS.items()},
        **{f"read, {name}": partial(read, make, runs) for name, make in WAYS.items()},
        **{f"sent, {name}": partial(sent, call, runs) for name, call in CALLS.items()},
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
        print(f"{name:20} {took_ns:4.0f} ns")


if __name__ == "__main__":
    main()
