"""Writes that fail, are cut short, or are the last thing that a broker does.

The short form fails a few; TEST_LONG=1 (`make faults`) fails 200. Counted by thread.
"""

import resource
from pathlib import Path

import pytest

from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.metrics import metric, until
from tests.support.crash.syscalls import WRITES, injected, missing
from tests.support.crash.trial import LONG, SEED, tell, trial
from tests.support.proof.evidence import Evidence

pytestmark = pytest.mark.faults

NUMBERS = range(1, 201) if LONG else (1, 2, 7)
STORAGE_FAILED, KILLED = 70, -9
REFUSED = 'tapemq_refused_requests_total{error="disk_full"}'
LIMITS = 50 if LONG else 2

needs_strace = pytest.mark.skipif(bool(missing()), reason=missing())


@needs_strace
@pytest.mark.parametrize(
    ("fault", "status"), [("error=EIO", STORAGE_FAILED), ("signal=KILL", KILLED)]
)
async def test_write_that_ends_the_broker(
    broker: ForkedBroker, tmp_path: Path, fault: str, status: int, evidence: Evidence
) -> None:
    async with trial(broker, "failing write", evidence) as run:
        for number in NUMBERS:
            await run.until_busy()
            with injected(broker.pid, WRITES, f"{fault}:when={number}", tmp_path / "trace"):
                await run.gone(status)
            run.start()
        assert await run.verdict("P1", "P3", unit=f"writes with {fault}") == [], f"seed {SEED}"


@needs_strace
async def test_service_goes_on_behind_writes_for_which_there_is_no_room(
    broker: ForkedBroker, tmp_path: Path, evidence: Evidence
) -> None:
    async with trial(broker, "no room", evidence) as run:
        fault = "error=ENOSPC:when=5+40"
        with injected(broker.pid, WRITES, fault, tmp_path / "trace") as trace:
            await run.load.acked(20_000 if LONG else 300)
        count = sum("(INJECTED)" in line.what for line in trace.lines())
        assert count
        tell(f"{count} writes failed for want of room")
        assert await run.verdict("P3", "P19", unit="writes without room", cycles=count) == [], (
            f"seed {SEED}"
        )


async def test_write_that_is_cut_short_leaves_no_part_of_a_batch(
    broker: ForkedBroker, evidence: Evidence
) -> None:
    """By the largest size that a file may have: the system writes up to it, and no further."""
    async with trial(broker, "short write", evidence) as run:
        for limit in range(LIMITS):
            await run.until_busy()
            before = await metric(broker, REFUSED)
            size_bytes = 20_000 + 1_001 * limit
            set_limit(broker.pid, size_bytes)
            await until(broker, REFUSED, before + 1)
            set_limit(broker.pid, resource.RLIM_INFINITY)
            if limit % 2:
                await run.kill()
        assert await run.verdict("P3", "P19", unit="short writes", cycles=LIMITS) == [], (
            f"seed {SEED}"
        )


def set_limit(pid: int, size_bytes: int) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, hard))
