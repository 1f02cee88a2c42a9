"""The negative controls: how each promise is broken on purpose, and which test must notice.

The table is data: `tests/proof/test_controls.py` breaks one thing after the other and wants to see
the named test fail. A promise without a row has a reason instead.
"""

from typing import Final

from tests.support.proof.controls import semantics, simulated, storage
from tests.support.proof.controls.control import Control

CONTROLS: Final[tuple[Control, ...]] = (
    *storage.DURABLE,
    *storage.SOUND,
    *storage.KEPT,
    *semantics.PUBLISHING,
    *semantics.READING,
    *semantics.WORKING,
    *semantics.LIMITS,
    *simulated.SIMULATED,
)

SIMULATED: Final = tuple(
    dict.fromkeys(one.promise for one in CONTROLS if one.test.startswith("tests/simulation/"))
)
"""What the simulation speaks for: it notices when one of these is broken."""

REASONS: Final = {
    "P16": "There are no transactions, so there is nothing to break: the unit that is visible or "
    "not is one batch (P15).",
}
"""Why a promise has no control."""
