"""Every decoder that there is: whoever reads bytes that somebody else may have written."""

from functools import cache
from typing import Final

from tests.support.fuzz import batches, frames, logs, states
from tests.support.fuzz.fuzzing import Decoder

FAMILIES: Final = {
    "frames": ("frames",),
    "messages": ("message", "lease tokens", "page", "runs of offsets", "session token", "times"),
    "records": ("batch", "body", "extras", "gap"),
    "files": ("index", "state file", "note", "newest", "older", "format", "producers"),
    "state": ("stream", "queue", "topic", "key of", "state log", "state of", "schedule"),
    "configuration": ("configuration", "environment"),
}
"""What decoders read: with what their names begin."""


@cache
def decoders() -> dict[str, Decoder]:
    """By name."""
    every = (*frames.decoders(), *batches.decoders(), *states.decoders(), *logs.decoders())
    return {decoder.name: decoder for decoder in every}


def chosen_decoders(family: str, words: str) -> list[Decoder]:
    """Those of a family ("": any) whose names contain the words."""
    return [
        decoder
        for name, decoder in decoders().items()
        if name.startswith(FAMILIES.get(family, "")) and words in name
    ]
