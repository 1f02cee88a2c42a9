"""SIGKILL of the broker while schedules are made, cancelled and fired: each comes once, none early,
and none that was cancelled.

The short form runs in every test run; TEST_LONG=1 (`make crash`) runs 40 kills.
"""

import asyncio
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tapemq
from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.schedule_load import PARTITIONS, TOPIC, ScheduleLoad, judge, read_all

pytestmark = pytest.mark.crash

LONG = bool(os.environ.get("TEST_LONG"))
KILLS = 40 if LONG else 2
MADE_PER_CYCLE = 100
SEED = int(os.environ.get("TEST_SEED", "1"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ForkedBroker]:
    running = ForkedBroker(tmp_path / "data")
    yield running
    running.kill_if_running()


async def test_a_killed_broker_fires_each_schedule_once(
    broker: ForkedBroker, tmp_path: Path
) -> None:
    pick = random.Random(SEED)
    broker.start()
    async with await tapemq.connect(broker.url) as client:
        await client.create_topic(TOPIC, partitions=PARTITIONS)
        load = ScheduleLoad(client, pick)
        load.start()
        for kill in range(KILLS):
            await load.made(MADE_PER_CYCLE)
            await asyncio.sleep(pick.uniform(0.0, 0.5))  # a random moment is what is tested
            broker.kill()
            if pick.random() < 0.3:
                _lose_index(tmp_path / "data")
            broker.start()
            _tell(f"kill {kill + 1}/{KILLS}: {len(load.wanted)} scheduled")
        await load.made(MADE_PER_CYCLE)
        await load.finish()
        records = await read_all(client)
    assert broker.stop() == 0
    assert list(judge(load.wanted, records)) == [], f"seed {SEED}"
    cancelled = sum(one.fate == "cancelled" for one in load.wanted)
    assert cancelled
    _tell(f"{len(load.wanted)} scheduled, {cancelled} cancelled, {len(records)} came")


def _lose_index(data_dir: Path) -> None:
    """It can be deleted: the logs are the truth."""
    for path in data_dir.glob("schedules.index*"):
        path.unlink()


def _tell(text: str) -> None:
    if LONG:
        print(text, file=sys.stderr, flush=True)
