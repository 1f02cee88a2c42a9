"""SIGKILL under load: what was acked stays, once, where the receipt said.

The short form runs in every test run; TEST_LONG=1 (`make crash`) runs 100 kills.
"""

import asyncio
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tapemq
from tests.support.crash.broker import Broker
from tests.support.crash.history import History, judge
from tests.support.crash.load import PARTITIONS, TOPIC, Load, read_all

pytestmark = pytest.mark.crash

LONG = bool(os.environ.get("TEST_LONG"))
KILLS = 100 if LONG else 4
ACKS_PER_CYCLE = 100


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    running = Broker(tmp_path / "data")
    yield running
    running.kill_if_running()


async def test_kills_under_load_lose_and_repeat_nothing(broker: Broker) -> None:
    seed = int(os.environ.get("TEST_SEED", "1"))
    pick = random.Random(seed)
    broker.start()
    history = History()
    async with await tapemq.connect(broker.url) as client:
        await client.create_topic(TOPIC, partitions=PARTITIONS)
        load = Load(client, history, "kill")
        load.start()
        for kill in range(KILLS):
            await load.acked(ACKS_PER_CYCLE)
            await asyncio.sleep(pick.uniform(0.02, 0.5))  # a random moment is what is tested
            assert history.in_flight > 0, "nothing was in flight: this kill would prove little"
            broker.kill()
            broker.start()
            _tell(f"kill {kill + 1}/{KILLS}: {len(history.acked)} acked")
        await load.acked(ACKS_PER_CYCLE)
        await load.stop()
    final = await read_all(broker.url)
    assert broker.stop() == 0
    assert judge(history, final) == [], f"seed {seed}"
    assert len(history.acked) >= KILLS * ACKS_PER_CYCLE
    _tell(f"{KILLS} kills, {len(history.acked)} acked, {len(final)} in the log: 0 lost, 0 twice")


def _tell(text: str) -> None:
    if LONG:
        print(text, file=sys.stderr, flush=True)
