"""A disk that somebody else fills, and frees again, under load.

While little space is left nothing is published, not by schedules either; readers, acks, dead
letters and deletes go on. While none is left, readers go on. When there is space again, all goes
on by itself, and nothing was lost.

The short form fills the disk twice; TEST_LONG=1 (`make faults`) 100 times.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import tapemq
from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.load import TOPIC, read_some
from tests.support.crash.metrics import metric, until
from tests.support.crash.small_disk import SmallDisk, missing
from tests.support.crash.trial import LONG, SEED, Trial, tell, trial
from tests.support.proof.evidence import Evidence

pytestmark = [pytest.mark.faults, pytest.mark.skipif(bool(missing()), reason=missing())]

CYCLES = 100 if LONG else 2
MARK_BYTES = 4 * 1024 * 1024
FEW_BYTES = MARK_BYTES // 2
MESSAGES = 10
DELAY_S = 5.0
"""Longer than the broker takes to notice that the disk is low, on a busy machine, too."""
FIRING_TAKES = timedelta(seconds=0.3)
LATER = "later"
BLOCKED = "tapemq_publishing_blocked"
FIRED = "tapemq_schedules_fired_total"
REFUSED = 'tapemq_refused_requests_total{error="disk_full"}'


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    small = SmallDisk(tmp_path)
    small.start()
    yield small
    small.stop()


@pytest.fixture
def broker(small_disk: SmallDisk, tmp_path: Path) -> Iterator[ForkedBroker]:
    mark = ("--disk-free-min-bytes", str(MARK_BYTES))
    running = ForkedBroker(small_disk.path / "data", *mark, log_path=tmp_path / "broker.stderr")
    yield running
    running.kill_if_running()


async def test_full_disk_loses_nothing_and_stops_no_reader(
    small_disk: SmallDisk, broker: ForkedBroker, evidence: Evidence
) -> None:
    async with trial(broker, "full disk", evidence) as run:
        await run.client.create_topic(LATER)
        for number in range(CYCLES):
            await run.until_busy()
            await until(run.broker, FIRED, number)  # or those of before come in between
            await run.client.create_topic(f"passing-{number}")
            receipt = await run.client.publish(LATER, b"%d" % number, delay=DELAY_S)
            if number % 2:
                await low(run, small_disk, number, receipt.due)
            else:
                await full(run, small_disk)
            small_disk.free()
            await run.load.acked(1)  # it goes on by itself
            if number % 10 == 9:
                tell(f"{number + 1}/{CYCLES}: {len(run.history.acked)} acked")
        later = await read_some(broker.url, LATER, CYCLES)
        assert sorted(later) == sorted(b"%d" % number for number in range(CYCLES))
        assert await run.verdict("P1", "P19", unit="fills", cycles=CYCLES) == [], f"seed {SEED}"


async def low(run: Trial, disk: SmallDisk, number: int, due: datetime | None) -> None:
    """There is less than the mark, and more than nothing, until something is overdue."""
    disk.fill(FEW_BYTES)
    await until(run.broker, BLOCKED, 1)
    before = await metric(run.broker, FIRED)
    await work(run.client)
    await run.client.delete_topic(f"passing-{number}")
    assert len(await read_some(run.broker.url, TOPIC, MESSAGES)) == MESSAGES
    assert due is not None
    await asyncio.sleep((due + FIRING_TAKES - datetime.now(UTC)).total_seconds())
    assert await metric(run.broker, FIRED) == before
    assert await metric(run.broker, BLOCKED) == 1


async def work(client: tapemq.Client) -> None:
    """Every message of another group is acked, or dead; and that is on disk."""
    settled = 0
    async with client.queue(TOPIC, group="others", prefetch=MESSAGES) as queue:
        async for message in queue:
            await (message.reject if settled % 2 else message.ack)(confirm=True)
            settled += 1
            if settled == MESSAGES:
                break


async def full(run: Trial, disk: SmallDisk) -> None:
    """There is nothing left, before the broker has noticed that it becomes little."""
    while not await filled_unnoticed(run, disk):
        disk.free()
        await run.load.acked(1)
    assert len(await read_some(run.broker.url, TOPIC, MESSAGES)) == MESSAGES
    await until(run.broker, BLOCKED, 1)


async def filled_unnoticed(run: Trial, disk: SmallDisk) -> bool:
    """Whether somebody was refused for it: a machine that is busy may let nobody come before."""
    before = await metric(run.broker, REFUSED)
    disk.fill(0)
    while not await metric(run.broker, BLOCKED):
        if await metric(run.broker, REFUSED) > before:
            return True
    return await metric(run.broker, REFUSED) > before
