"""A real broker whose wall clock jumps by hours and years, both ways, under load.

No record gets old by that, no lease ends, nothing that was published for later comes before its
time by the broker's clock, or not at all.

The short form jumps a few times; TEST_LONG=1 (`make faults`) 200 times.
"""

from itertools import cycle, islice
from pathlib import Path

import pytest

import tapemq
from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.load import TOPIC, read_some
from tests.support.crash.trial import LONG, SEED, trial
from tests.support.crash.wrong_clock import WrongClock, missing
from tests.support.proof.evidence import Evidence

pytestmark = [pytest.mark.faults, pytest.mark.skipif(bool(missing()), reason=missing())]

HOUR_S, YEAR_S = 3600, 365 * 86400
JUMPS_S = (HOUR_S, -HOUR_S, YEAR_S, 0, -YEAR_S, 1, -1, 0)
JUMPS = 200 if LONG else len(JUMPS_S)
RETENTION = {"retention_age_s": HOUR_S // 2, "segment_bytes": 8192}
LATER, MUCH_LATER = "later", "much-later"
GROUP = "patient"


async def test_clock_that_jumps_makes_nothing_old(
    broker: ForkedBroker, tmp_path: Path, evidence: Evidence
) -> None:
    clock = WrongClock(tmp_path)
    broker.environment = clock.environment
    broker.options += ["--retention-check-s", "0.05"]
    async with trial(broker, "clock", evidence) as run:
        client = run.client
        await client.alter_topic(TOPIC, **RETENTION)
        for topic in (LATER, MUCH_LATER):
            await client.create_topic(topic)
        await client.publish(MUCH_LATER, b"never", delay=10 * YEAR_S)
        async with client.queue(TOPIC, group=GROUP, prefetch=1, lease=600, hold=False) as queue:
            await run.load.acked(1)
            message = await anext(aiter(queue))
            for number, jump_s in enumerate(islice(cycle(JUMPS_S), JUMPS)):
                await client.publish(LATER, b"%d" % number, delay=0.2)
                clock.set(jump_s)
                await run.until_busy()
            assert not message.lease_lost
            await message.ack(confirm=True)
        clock.set(2 * YEAR_S)  # by this clock all of them are due
        later = await read_some(broker.url, LATER, JUMPS)
        assert sorted(later) == sorted(b"%d" % number for number in range(JUMPS))
        assert (await client.partition(MUCH_LATER, 0)).visible_offset == 0
        assert await run.verdict("P1", "P21", "P22", unit="clock jumps", cycles=JUMPS) == [], (
            f"seed {SEED}"
        )
    await check_that_time_counts(broker, clock)


async def check_that_time_counts(broker: ForkedBroker, clock: WrongClock) -> None:
    """Time that has passed before a start makes records old: so the jumps were real."""
    clock.set(2 * YEAR_S)
    broker.start()
    async with await tapemq.connect(broker.url) as client:
        while not (await client.partition(TOPIC, 0)).first_offset:
            pass
