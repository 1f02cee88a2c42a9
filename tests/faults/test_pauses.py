"""A broker that stands still for a while under load, as a virtual machine or a container may.

Long enough that heartbeats are missed, and leases run out.

The short form stops it a few times; TEST_LONG=1 (`make faults`) 200 times.
"""

import asyncio
import os
import signal

import pytest

from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.load import GROUP, TOPIC
from tests.support.crash.trial import LONG, SEED, tell, trial
from tests.support.proof.evidence import Evidence

pytestmark = pytest.mark.faults

PAUSES = 200 if LONG else 3
PAUSES_S = (0.05, 0.5, 1.5)
HEARTBEAT_S = 0.3
LEASE_S = 1


async def test_broker_that_stands_still_loses_and_repeats_nothing(
    broker: ForkedBroker, evidence: Evidence
) -> None:
    broker.options += ["--heartbeat-s", str(HEARTBEAT_S)]
    async with trial(broker, "pause", evidence) as run:
        await run.load.acked(1, 1)
        await run.client.alter_queue(TOPIC, GROUP, lease=LEASE_S)
        for number in range(PAUSES):
            await run.until_busy()
            os.kill(broker.pid, signal.SIGSTOP)
            await asyncio.sleep(PAUSES_S[number % len(PAUSES_S)])  # what is tested
            os.kill(broker.pid, signal.SIGCONT)
            if number % 50 == 49:
                tell(f"{number + 1}/{PAUSES}: {len(run.history.acked)} acked")
        assert await run.verdict("P1", "P11", "P13", unit="pauses", cycles=PAUSES) == [], (
            f"seed {SEED}"
        )
