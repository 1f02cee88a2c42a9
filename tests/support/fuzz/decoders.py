"""Every decoder that there is: whoever reads bytes that somebody else may have written."""

from functools import cache

from tests.support.fuzz import batches, frames, logs, states
from tests.support.fuzz.fuzzing import Decoder


@cache
def decoders() -> dict[str, Decoder]:
    """By name."""
    every = (*frames.decoders(), *batches.decoders(), *states.decoders(), *logs.decoders())
    return {decoder.name: decoder for decoder in every}
