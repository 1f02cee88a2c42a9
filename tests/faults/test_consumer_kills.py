"""SIGKILL of queue consumers that hold leases: what was acked stays settled, nothing is lost, and
attempts are counted right.

The short form runs in every test run; TEST_LONG=1 (`make crash`) runs 1,000 kills.
"""

import os
import sys
from functools import partial
from pathlib import Path

import pytest

import tapemq
from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.queue.backlog import Backlog
from tests.support.crash.queue.consumer import MAX_ATTEMPTS, POINTS, POISON
from tests.support.crash.queue.consumers import Consumers
from tests.support.crash.queue.figures import figures, note
from tests.support.crash.queue.journal import read
from tests.support.crash.queue.rules import CRASHED, judge
from tests.support.proof.evidence import Evidence

pytestmark = pytest.mark.crash

LONG = bool(os.environ.get("TEST_LONG"))
KILLS = 1000 if LONG else 40
BACKLOG = 600 if LONG else 150
SEED = int(os.environ.get("TEST_SEED", "1"))


async def test_killed_consumers_lose_and_repeat_nothing(
    broker: ForkedBroker, tmp_path: Path, evidence: Evidence
) -> None:
    broker.start()
    journal = tmp_path / "journal"
    async with await tapemq.connect(broker.url) as client:
        backlog = Backlog(client, SEED, BACKLOG)
        await backlog.open()
        async with Consumers(broker.url, journal, seed=SEED, kills=KILLS) as consumers:
            for kills in [*range(50, KILLS, 50), KILLS]:
                await backlog.until(partial(consumers.have_lost, kills), consumers.check)
                _tell(f"{consumers.killed}/{KILLS} kills, {len(backlog.published)} records")
            await backlog.finish(consumers.check)
        ending = await backlog.ending()
    assert broker.stop() == 0
    history = read(journal)
    verdict = judge(history, ending)
    _tell(f"seed {SEED}\n" + figures(history, ending, verdict))
    note(evidence, history, verdict, cycles=len(history.kills), unit="consumer kills", seed=SEED)
    assert verdict.complaints == [], f"seed {SEED}\n" + "\n".join(verdict.complaints[:10])
    assert len(history.kills) >= KILLS
    assert {kill.point for kill in history.kills.values()} == {*POINTS, "poison"}
    assert all(kill.held for kill in history.kills.values())
    for place in (place for place, value in backlog.published.items() if value == POISON):
        dead = ending.dead[place]
        assert (dead.reason, dead.failures, dead.crashes) == (CRASHED, 0, MAX_ATTEMPTS)


def _tell(text: str) -> None:
    if LONG:
        print(text, file=sys.stderr, flush=True)
