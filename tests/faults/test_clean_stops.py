"""SIGTERM under load: the broker ends in time, says goodbye, and the next start checks nothing.

The short form stops it a few times; TEST_LONG=1 (`make faults`) 200 times.
"""

import asyncio
import time

import pytest

from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.metrics import labels
from tests.support.crash.trial import LONG, SEED, tell, trial
from tests.support.proof.evidence import Evidence

pytestmark = pytest.mark.faults

STOPS = 200 if LONG else 4


async def test_stops_under_load_leave_nothing_to_check(
    broker: ForkedBroker, evidence: Evidence
) -> None:
    slowest_s = 0.0
    async with trial(broker, "stop", evidence) as run:
        for number in range(STOPS):
            await run.until_busy()
            began_s = time.monotonic()
            assert await asyncio.to_thread(broker.stop) == 0
            slowest_s = max(slowest_s, time.monotonic() - began_s)
            run.start()
            assert (await labels(broker, "tapemq_opened_logs_total", "row")).keys() == {"CLEAN"}
            if number % 50 == 49:
                tell(f"{number + 1}/{STOPS}: {len(run.history.acked)} acked")
        evidence.note(slowest_stop_s=round(slowest_s, 2))
        assert await run.verdict("P1", "P11", "P23", unit="clean stops") == [], f"seed {SEED}"
