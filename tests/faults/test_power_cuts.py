"""Power cuts under load, on a real file system: acked is on disk, and of what was acked as written
only, none is gone with what came behind it left.

The short form runs in every test run; TEST_LONG=1 (`make crash`) runs 1,000 cuts. With syncing
off the same cut must show loss: or it would prove nothing.
"""

from contextlib import suppress
from functools import partial

import pytest

import tapemq
from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.history import Place, lost
from tests.support.crash.load import read_all
from tests.support.crash.powered_disk import PoweredDisk
from tests.support.crash.trial import LONG, SEED, tell, trial
from tests.support.proof.evidence import Evidence

pytestmark = pytest.mark.crash

PROMISES = ("P1", "P2", "P5", "P7", "P8", "P9", "P11", "P14")
CUTS = 1000 if LONG else 5


async def test_power_cuts_lose_nothing_that_was_acked(
    disk: PoweredDisk, powered_broker: ForkedBroker, evidence: Evidence
) -> None:
    async with trial(powered_broker, "cut", evidence) as run:
        await run.repeat(CUTS, partial(run.cut, disk))
        assert await run.verdict(*PROMISES, unit="power cuts") == [], f"seed {SEED}"


async def test_without_syncing_the_same_cuts_show_loss(
    disk: PoweredDisk, powered_broker: ForkedBroker, evidence: Evidence
) -> None:
    powered_broker.options.append("--no-sync")
    async with trial(powered_broker, "unsynced", evidence) as run:
        await run.cut(disk)
        final: dict[Place, bytes] = {}
        with suppress(tapemq.Error):  # the topic itself may be lost, or refused as damaged
            final = await read_all(powered_broker.url)
        await run.load.abandon()
        missing_count = len(lost(run.history, final))
        evidence.note(cycles=1, unit="power cut without syncs", lost=missing_count)
        assert missing_count, "the harness does not see what it is made to see"
        tell(f"without syncs, 1 cut: {missing_count} of {len(run.history.acked)} acked were lost")
