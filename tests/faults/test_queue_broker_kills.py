"""SIGKILL of the broker, and power cuts, during queue work: confirmed acks stay, nothing is lost,
and what was confirmed as failed still counts.

The short form runs in every test run; TEST_LONG=1 (`make crash`) runs 100 kills and 20 power cuts.
Consumers are killed meanwhile, too.
"""

import asyncio
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tapemq
from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.powered_disk import PoweredDisk
from tests.support.crash.queue.backlog import Backlog
from tests.support.crash.queue.consumers import Consumers
from tests.support.crash.queue.figures import figures, note
from tests.support.crash.queue.journal import Journal, read
from tests.support.crash.queue.rules import judge
from tests.support.proof.evidence import Evidence

pytestmark = pytest.mark.crash

LONG = bool(os.environ.get("TEST_LONG"))
KILLS = 100 if LONG else 2
CUTS = 20
BACKLOG = 600 if LONG else 150
SEED = int(os.environ.get("TEST_SEED", "1"))
CONSUMER_KILLS_PER_CYCLE = 20 if LONG else 5
SETTLED_PER_CYCLE = 60 if LONG else 30


async def _work(
    broker: ForkedBroker,
    directory: Path,
    ends: list[Callable[[], None]],
    evidence: Evidence,
    unit: str,
) -> None:
    """Work through some ends of the broker, each at a random moment; then judge."""
    broker.start()
    journal, pick = directory / "journal", random.Random(SEED)
    kills = CONSUMER_KILLS_PER_CYCLE * len(ends)
    async with await tapemq.connect(broker.url) as client:
        backlog = Backlog(client, SEED, BACKLOG)
        await backlog.open()
        async with Consumers(broker.url, journal, seed=SEED, kills=kills) as consumers:
            for number, end in enumerate(ends):
                settled = await backlog.settled()
                await backlog.until_settled(settled + SETTLED_PER_CYCLE, consumers.check)
                await asyncio.sleep(pick.uniform(0, 0.1))  # a random moment is what is tested
                end()
                _tell(f"{number + 1}/{len(ends)}, {consumers.killed} consumers killed")
            await backlog.finish(consumers.check)
        ending = await backlog.ending()
    assert broker.stop() == 0
    history = read(journal)
    verdict = judge(history, ending)
    _tell(f"seed {SEED}\n" + figures(history, ending, verdict))
    note(evidence, history, verdict, cycles=len(ends), unit=unit, seed=SEED)
    assert verdict.complaints == [], f"seed {SEED}\n" + "\n".join(verdict.complaints[:10])
    epochs = {d.boot_epoch for place in history.deliveries.values() for d in place}
    assert len(epochs) == len(ends) + 1


async def test_a_killed_broker_keeps_what_was_settled(tmp_path: Path, evidence: Evidence) -> None:
    broker = ForkedBroker(tmp_path / "data")

    def kill() -> None:
        broker.kill()
        broker.start()

    try:
        await _work(broker, tmp_path, [kill] * KILLS, evidence, "kills while consumers were killed")
    finally:
        broker.kill_if_running()


@pytest.mark.skipif(not LONG, reason="the long form only")
async def test_a_power_cut_keeps_what_was_settled(
    disk: PoweredDisk, tmp_path: Path, evidence: Evidence
) -> None:
    broker = ForkedBroker(disk.path / "data", log_path=tmp_path / "broker.stderr")
    journal = Journal(tmp_path / "journal")

    def cut() -> None:
        journal.cut()  # a sync under way may still report success
        disk.cut()
        broker.kill()
        disk.restore()
        broker.start()

    try:
        await _work(
            broker, tmp_path, [cut] * CUTS, evidence, "power cuts while consumers were killed"
        )
    finally:
        journal.close()
        broker.kill_if_running()


def _tell(text: str) -> None:
    if LONG:
        print(text, file=sys.stderr, flush=True)
