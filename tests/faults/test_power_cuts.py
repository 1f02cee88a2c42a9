"""Power cuts under load, on a real file system: acked is on disk.

The short form runs in every test run; TEST_LONG=1 (`make crash`) runs 20 cuts, and as many
with syncing off, where the same test must see loss: or it would prove nothing.
"""

import asyncio
import os
import random
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import tapemq
from tests.support.crash.broker import Broker
from tests.support.crash.history import History, Place, judge, lost
from tests.support.crash.load import PARTITIONS, TOPIC, Load, read_all
from tests.support.crash.powered_disk import PoweredDisk, missing

pytestmark = [pytest.mark.crash, pytest.mark.skipif(bool(missing()), reason=missing())]

LONG = bool(os.environ.get("TEST_LONG"))
CUTS = 20 if LONG else 2
ACKS_PER_CYCLE = 100


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[PoweredDisk]:
    powered = PoweredDisk(tmp_path)
    powered.start()
    yield powered
    powered.stop()


@pytest.fixture
def broker(disk: PoweredDisk) -> Iterator[Broker]:
    running = Broker(disk.path / "data")
    yield running
    running.kill_if_running()


async def _cycle(disk: PoweredDisk, broker: Broker, history: History, name: str) -> None:
    """Publish and read, then lose the power with frames in flight."""
    client = await tapemq.connect(broker.url)
    with suppress(tapemq.TopicExists):
        await client.create_topic(TOPIC, partitions=PARTITIONS)
    load = Load(client, history, name)
    load.start()
    await load.acked(ACKS_PER_CYCLE)
    await asyncio.sleep(random.Random(name).uniform(0.02, 0.3))  # at a random moment
    assert history.in_flight > 0
    # From here on nothing more counts as acked: a sync under way may still report success.
    history.frozen = True
    disk.cut()
    broker.kill()
    await load.stop()
    await client.close(timeout=0)
    disk.restore()
    history.frozen = False
    broker.start()


def _tell(text: str) -> None:
    if LONG:
        print(text, file=sys.stderr, flush=True)


async def test_power_cuts_lose_nothing_that_was_acked(disk: PoweredDisk, broker: Broker) -> None:
    broker.start()
    history = History()
    for cut in range(CUTS):
        await _cycle(disk, broker, history, f"cut-{cut}")
        _tell(f"cut {cut + 1}/{CUTS}: {len(history.acked)} acked")
    final = await read_all(broker.url)
    assert broker.stop() == 0
    assert judge(history, final) == []
    assert len(history.acked) >= CUTS * ACKS_PER_CYCLE
    _tell(f"{CUTS} power cuts, {len(history.acked)} acked, {len(final)} in the log: 0 lost")


async def test_without_syncing_the_same_cuts_show_loss(disk: PoweredDisk, broker: Broker) -> None:
    broker.start("--no-sync")
    history = History()
    await _cycle(disk, broker, history, "unsynced")
    final: dict[Place, bytes] = {}
    with suppress(tapemq.Error):  # the topic itself may be lost, or refused as damaged
        final = await read_all(broker.url)
    missing_count = len(lost(history, final))
    assert missing_count, "the harness does not see what it is made to see"
    _tell(f"without syncs, 1 power cut: {missing_count} of {len(history.acked)} acked were lost")
