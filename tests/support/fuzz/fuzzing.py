"""Fuzzing: every decoder gets damaged examples and any bytes, and may raise what it declares.

Examples are valid. They are damaged as bytes, and, where they are msgpack or have a checksum, as
what they mean: a value in them is another one, and the checksum fits again, so that the damage
gets past the first check.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import msgpack

from tests.support.mutations import mutations
from tests.support.sources import ROOT

FOUND: Final = ROOT / "tests" / "golden" / "fuzz"
"""Inputs that were once answered wrongly, one file each: `<decoder>-<number>.bin`."""

_PORTION: Final = 200
_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 127, 2**31, 2**32 - 1, 2**63, 2**64 - 1, -(2**63), 0.5),
    *("", "a", "é" * 40, b"", b"\x00", b"\xff" * 9, [], {}, [0] * 40, {"a": 1}, {b"a": []}),
)


@dataclass
class Decoder:
    """``decode`` takes the bytes or raises one of ``allowed``. It may assert what holds of what
    it takes; an AssertionError is a find, too. ``is_packed``: the examples are msgpack."""

    name: str
    examples: Sequence[bytes]
    decode: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...]
    is_packed: bool = False


@dataclass
class Tally:
    """What became of the inputs of a decoder."""

    inputs: int = 0
    taken: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Find(AssertionError):
    """A decoder raised what it does not declare; ``data`` is the input."""

    def __init__(self, decoder: Decoder, data: bytes, error: BaseException) -> None:
        super().__init__(f"{decoder.name}: {type(error).__name__}: {error}; input {data.hex()}")
        self.data = data


def fuzz(decoder: Decoder, count: int, seed: int, tally: Tally | None = None) -> Tally:
    """Try so many inputs, the same ones for the same seed. Raises Find."""
    tally = Tally() if tally is None else tally
    for data in inputs(decoder, count, seed):
        check(decoder, data, tally)
    return tally


def fuzz_for(
    decoder: Decoder, seconds: float, seed: int, progress: Callable[[Tally, float], None]
) -> Tally:
    """Try inputs for so many seconds of this process's CPU time. Raises Find."""
    tally, until = Tally(), time.process_time() + seconds
    while (left := until - time.process_time()) > 0:
        fuzz(decoder, _PORTION, seed, tally)
        seed += 1
        progress(tally, left)
    return tally


def check(decoder: Decoder, data: bytes, tally: Tally) -> None:
    """Try one input. Raises Find."""
    tally.inputs += 1
    try:
        decoder.decode(data)
    except decoder.allowed as error:
        tally.refused[type(error).__name__] += 1
    except Exception as error:
        raise Find(decoder, data, error) from error
    else:
        tally.taken += 1


def inputs(decoder: Decoder, count: int, seed: int) -> Iterator[bytes]:
    """Mostly damaged examples, some of any bytes, and the examples themselves."""
    random = Random(f"{decoder.name}/{seed}")
    damaged = mutations(decoder.examples, count, seed)
    for _ in range(count):
        kind = random.random()
        if kind < 0.05:
            yield random.choice(decoder.examples)
        elif kind < 0.1:
            yield random.randbytes(random.randrange(200))
        elif decoder.is_packed and kind < 0.6:
            yield restructured(random.choice(decoder.examples), random)
        else:
            yield next(damaged)


def restructured(packed: bytes, random: Random) -> bytes:
    """msgpack with one value somewhere in it replaced, doubled, or left out."""
    tree = msgpack.unpackb(packed, strict_map_key=False)
    for _ in range(random.choice((1, 1, 2))):
        tree = _changed(tree, random)
    return bytes(msgpack.packb(tree))


def _changed(tree: Any, random: Random) -> Any:
    if not isinstance(tree, list | dict) or not tree or random.random() < 0.2:
        return deepcopy(random.choice(_VALUES))
    key = random.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
    kind = random.random()
    if kind < 0.7:
        tree[key] = _changed(tree[key], random)
    elif kind < 0.85:
        del tree[key]
    elif isinstance(tree, dict):
        tree[random.choice(("n", "kind", b"k", 7))] = deepcopy(random.choice(_VALUES))
    else:
        tree.insert(key, deepcopy(random.choice((*_VALUES, tree[key]))))
    return tree


def found(name: str) -> Iterator[Path]:
    """The inputs that were found for a decoder."""
    yield from sorted(FOUND.glob(f"{name.replace(' ', '_')}-*.bin"))


def keep(decoder: Decoder, data: bytes) -> Path:
    """Keep an input for ever: the tests try it from now on."""
    FOUND.mkdir(parents=True, exist_ok=True)
    number = len(list(found(decoder.name)))
    path = FOUND / f"{decoder.name.replace(' ', '_')}-{number}.bin"
    path.write_bytes(data)
    return path
