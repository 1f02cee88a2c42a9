"""SIGKILL under load: what was acked stays, once, where the receipt said; and stays settled.

The short form runs in every test run; TEST_LONG=1 (`make crash`) runs 1,000 kills.
"""

import pytest

from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.trial import LONG, SEED, trial
from tests.support.proof.evidence import Evidence

pytestmark = pytest.mark.crash

PROMISES = ("P1", "P2", "P5", "P7", "P8", "P9", "P11", "P14")
KILLS = 1000 if LONG else 5


async def test_kills_under_load_lose_and_repeat_nothing(
    broker: ForkedBroker, evidence: Evidence
) -> None:
    async with trial(broker, "kill", evidence) as run:
        await run.repeat(KILLS, run.kill)
        assert await run.verdict(*PROMISES, unit="kills") == [], f"seed {SEED}"
