"""Syncs that fail, lie, or take long, in the system calls of a real broker.

After a failed sync the broker ends at once, nobody gets a receipt for what it was to bring to
disk, and it is not tried again. The power is cut after it, so that a receipt too many would show.

The short form fails a few; TEST_LONG=1 (`make faults`) fails 50. Counted by thread.
"""

import asyncio
from pathlib import Path

import pytest

from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.history import lost
from tests.support.crash.load import TOPIC, read_all
from tests.support.crash.powered_disk import PoweredDisk
from tests.support.crash.syscalls import SYNCS, Trace, injected, missing
from tests.support.crash.trial import LONG, SEED, Trial, tell, trial
from tests.support.proof.evidence import Evidence

pytestmark = [pytest.mark.faults, pytest.mark.skipif(bool(missing()), reason=missing())]

NUMBERS = range(1, 51) if LONG else (1, 2, 5)
STORAGE_FAILED = 70
DELAY_US = 2_500_000
HEARTBEAT_S = 1
CYCLES = 20 if LONG else 1


async def test_failed_sync_ends_the_broker_and_acks_nothing(
    disk: PoweredDisk, powered_broker: ForkedBroker, tmp_path: Path, evidence: Evidence
) -> None:
    slowest_s = 0.0
    async with trial(powered_broker, "failing sync", evidence) as run:
        for number in NUMBERS:
            await run.until_busy()
            fault = f"error=EIO:when={number}"
            with injected(powered_broker.pid, SYNCS, fault, tmp_path / "trace") as trace:
                await run.gone(STORAGE_FAILED)
            run.history.cuts += 1
            slowest_s = max(slowest_s, end_s(trace))
            disk.cut()
            disk.restore()
            run.start()
        assert await run.verdict("P1", "P3", unit="failed syncs") == [], f"seed {SEED}"
    evidence.note(slowest_end_s=round(slowest_s, 3))
    tell(f"at most {slowest_s:.3f} s to the end of the broker")
    assert slowest_s < 1 or not LONG


def end_s(trace: Trace) -> float:
    """How long the broker lived after the fault. Nothing may begin to sync the same file again."""
    fault, *behind = trace.behind_fault()
    assert fault.path
    begun = [line for line in behind if "sync(" in line.what and not line.is_end]
    assert not [line for line in begun if line.path == fault.path]
    exits = [line.time_s for line in behind if "exited with" in line.what]
    return max(exits) - fault.time_s


async def test_disk_that_lies_about_syncs_is_seen_through(
    disk: PoweredDisk, powered_broker: ForkedBroker, tmp_path: Path, evidence: Evidence
) -> None:
    """No broker can help it; but a harness that misses it would miss our own lies, too."""
    async with trial(powered_broker, "lying disk", evidence) as run:
        await run.load.acked(100)
        with injected(powered_broker.pid, SYNCS, "retval=0", tmp_path / "trace"):
            await run.cut(disk)
        final = await read_all(powered_broker.url)
        count = len(lost(run.history, final))
        evidence.note(cycles=1, unit="power cut of a disk that lies", lost=count)
        assert count, "the harness does not see what it is made to see"
        tell(f"a disk that lies, 1 power cut: {count} of {len(run.history.acked)} acked were lost")


async def test_slow_disk_delays_receipts_and_nothing_else(
    broker: ForkedBroker, tmp_path: Path, evidence: Evidence
) -> None:
    """Requests are answered and heartbeats go on while syncs take longer than these may fail to
    come; receipts wait for the disk."""
    broker.options += ["--heartbeat-s", str(HEARTBEAT_S)]
    async with trial(broker, "slow disk", evidence) as run:
        await run.load.acked(100)
        connection = run.client._link.connection
        with injected(broker.pid, SYNCS, f"delay_enter={DELAY_US}", tmp_path / "trace") as trace:
            for number in range(CYCLES):
                await answers_while_a_receipt_waits(run, b"slow-%d" % number)
        assert trace.behind_fault()
        assert run.client._link.connection is connection
        assert await run.verdict("P1", unit="slow syncs", cycles=CYCLES) == [], f"seed {SEED}"


async def answers_while_a_receipt_waits(run: Trial, value: bytes) -> None:
    receipt = asyncio.create_task(run.client.publish(TOPIC, value, timeout=60))
    run.history.tried.add(value)
    for _ in range(3):
        assert await run.client.topics() == [TOPIC]
    assert not receipt.done()
    await receipt
