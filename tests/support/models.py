"""How far the tests go that compare a part with a model of it, by steps that are drawn."""

import os
from typing import Final

from hypothesis import settings

TIMES: Final = int(os.environ.get("TEST_TIMES", "1"))
"""So many times as far as in an ordinary test run: `make models TIMES=30`."""
_FAR: Final = 10


def model_settings(examples: int, steps: int = 50) -> settings:
    """So many examples, each of so many steps if the model has any; longer ones of those that go
    far."""
    return settings(
        max_examples=examples * TIMES, stateful_step_count=steps if TIMES < _FAR else 2 * steps
    )
