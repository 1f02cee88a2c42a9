"""Every decoder: damaged and any bytes raise what it declares, and nothing else.

A test run tries some thousand inputs, the same ones each time, and all that was ever found;
`make fuzz ARGS="--seconds 1800"` goes on for as long as it is told.
"""

from random import Random

import msgpack
import pytest

from tests.support.fuzz.decoders import FAMILIES, chosen_decoders, decoders
from tests.support.fuzz.fuzzing import (
    FOUND,
    Decoder,
    Find,
    Tally,
    check,
    found,
    fuzz,
    inputs,
    restructured,
)

NAMES = list(decoders())
FILES = ("segment", "configuration file")
"""The slow ones: files are opened, whole."""


def how_many(decoder: Decoder) -> int:
    return 40 if any(name in decoder.name for name in FILES) else 1000


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_declared_errors(name: str) -> None:
    decoder = decoders()[name]
    tally = fuzz(decoder, how_many(decoder), seed=1)
    assert tally.taken > tally.inputs // 100  # the damage is not all fatal
    if decoder.allowed:
        assert tally.refused.total() > tally.inputs // 100 or "segment" in name


@pytest.mark.parametrize("name", NAMES)
def test_what_was_found_stays_found(name: str) -> None:
    for path in found(name):
        check(decoders()[name], path.read_bytes(), Tally())


def test_every_find_belongs_to_a_decoder() -> None:
    known = {path for name in NAMES for path in found(name)}
    assert known == set(FOUND.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_valid(name: str) -> None:
    for example in decoders()[name].examples:
        decoders()[name].decode(example)


def test_an_error_that_is_not_declared_is_a_find() -> None:
    def decode(data: bytes) -> None:
        if b"\xff" in data:
            raise KeyError(data)

    with pytest.raises(Find, match="picky: KeyError"):
        fuzz(Decoder("picky", [b"a" * 20], decode, (ValueError,)), 1000, seed=0)


def test_inputs_are_the_same_for_a_seed() -> None:
    decoder = decoders()["message Publish"]
    assert list(inputs(decoder, 50, 3)) == list(inputs(decoder, 50, 3))
    assert list(inputs(decoder, 50, 3)) != list(inputs(decoder, 50, 4))


def test_structure_is_damaged_inside() -> None:

    packed = msgpack.packb([1, {"a": [2, b"x"]}, "y"])
    changed = {restructured(packed, Random(seed)) for seed in range(200)}
    assert len(changed) > 100
    assert all(msgpack.unpackb(one, strict_map_key=False) is not ... for one in changed)


def test_each_decoder_is_of_one_family() -> None:
    families = [chosen_decoders(family, "") for family in FAMILIES]
    assert sorted(decoder.name for family in families for decoder in family) == sorted(NAMES)
    assert all(families)
    assert [one.name for one in chosen_decoders("messages", "Publish")] == ["message Publish"]
    assert chosen_decoders("", "") == list(decoders().values())
