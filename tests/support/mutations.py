"""Seeded damage to valid bytes: fast, reproducible, and close to what is accepted."""

from collections.abc import Iterator, Sequence
from random import Random

_INTERESTING = (b"\x00", b"\x01", b"\x7f", b"\x80", b"\xc1", b"\xff", b"\xff\xff\xff\xff", b"\xdf")


def mutations(seeds: Sequence[bytes], count: int, seed: int = 0) -> Iterator[bytes]:
    """``count`` damaged versions of the seeds, the same ones for the same ``seed``."""
    random = Random(seed)
    for _ in range(count):
        data = bytearray(random.choice(seeds))
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            _damage(data, seeds, random)
        yield bytes(data)


def _damage(data: bytearray, seeds: Sequence[bytes], random: Random) -> None:
    at = random.randrange(len(data) + 1)
    kind = random.randrange(6)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << random.randrange(8)
    elif kind == 1:
        new = random.choice(_INTERESTING)
        data[at : at + len(new)] = new
    elif kind == 2:
        data[at:at] = random.choice(_INTERESTING)
    elif kind == 3:
        del data[at : at + random.randrange(1, 9)]
    elif kind == 4:
        del data[at:]
    else:
        other = random.choice(seeds)
        data[at:] = other[random.randrange(len(other)) :]
