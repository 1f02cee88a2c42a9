"""Consumers that fall silent while they hold messages: stopped, or behind a cable that was cut.

Their connections stay open, and neither end is told. Others get the messages, once; when the
silent ones are back, none of their acks is confirmed: another one has done the work.

TEST_LONG=1 (`make faults`) does each 100 times.
"""

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import tapemq
from tests.support.crash.far_host import FarHost, missing
from tests.support.crash.forked_broker import ForkedBroker
from tests.support.crash.trial import LONG, tell
from tests.support.proof.evidence import Evidence
from tests.support.sources import ROOT

pytestmark = pytest.mark.faults

TIMES = 100 if LONG else 1
HELD = 5
TOPIC, GROUP = "jobs", "workers"
HEARTBEAT_S = 1
LEASE_S = 1.0
FOR_EVER_S = 3600.0
"""Longer than a test: leases do not end by themselves."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ForkedBroker]:
    running = ForkedBroker(tmp_path / "data", "--host", "0.0.0.0")
    yield running
    running.kill_if_running()


@pytest.fixture
def far_host() -> Iterator[FarHost]:
    if missing():
        pytest.skip(missing())
    host = FarHost()
    host.start()
    yield host
    host.stop()


async def test_stopped_consumer_is_found_by_its_heartbeat(
    broker: ForkedBroker, evidence: Evidence
) -> None:
    broker.start("--heartbeat-s", str(HEARTBEAT_S))
    await fall_silent(broker, evidence, lease_s=FOR_EVER_S)


async def test_stopped_consumer_loses_its_leases(broker: ForkedBroker, evidence: Evidence) -> None:
    broker.start("--heartbeat-s", str(FOR_EVER_S))
    await fall_silent(broker, evidence, lease_s=LEASE_S)


async def test_half_open_connection_is_found_by_its_heartbeat(
    broker: ForkedBroker, far_host: FarHost, evidence: Evidence
) -> None:
    broker.start("--heartbeat-s", str(HEARTBEAT_S))
    await fall_silent(broker, evidence, lease_s=FOR_EVER_S, far_host=far_host)


async def fall_silent(
    broker: ForkedBroker, evidence: Evidence, *, lease_s: float, far_host: FarHost | None = None
) -> None:
    async with await tapemq.connect(broker.url) as client:
        await client.create_topic(TOPIC)
        await make_group(client, lease_s)
        slowest_s = 0.0
        for number in range(TIMES):
            for message in range(HELD):
                await client.publish(TOPIC, b"%d-%d" % (number, message))
            async with holder(broker, far_host) as process:
                silence = far_host.cut if far_host else sender(process, signal.SIGSTOP)
                speech = far_host.connect if far_host else sender(process, signal.SIGCONT)
                silence()
                began_s = time.monotonic()
                await take_over(client, number)
                slowest_s = max(slowest_s, time.monotonic() - began_s)
                speech()
                assert await ask(process) == f"acked 0, not {HELD}"
    evidence.note(
        *("P10", "P13"), cycles=TIMES, unit="silent consumers", slowest_s=round(slowest_s, 2)
    )
    tell(f"{TIMES} silent consumers, at most {slowest_s:.2f} s until others had all messages")


def sender(process: Process, number: signal.Signals) -> Callable[[], None]:
    return lambda: process.send_signal(number)


async def make_group(client: tapemq.Client, lease_s: float) -> None:
    async with client.queue(TOPIC, group=GROUP, lease=lease_s, retry=[0.01]):
        pass


@asynccontextmanager
async def holder(broker: ForkedBroker, far_host: FarHost | None) -> AsyncIterator[Process]:
    """A consumer that has taken what there is."""
    prefix = far_host.prefix if far_host else []
    url = broker.url.replace("127.0.0.1", far_host.near) if far_host else broker.url
    module = ("-m", "tests.support.crash.queue.holder")
    process = await asyncio.create_subprocess_exec(
        *(*prefix, sys.executable, *module, url, TOPIC, GROUP, str(HELD)),
        stdin=PIPE,
        stdout=PIPE,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).decode() == f"took {HELD}\n"
        yield process
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ask(process: Process) -> str:
    """Let it ack what it holds; what it says then."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    return (await process.stdout.readline()).decode().strip()


async def take_over(client: tapemq.Client, number: int) -> None:
    """Get and ack what the silent one holds: everything once, as a second attempt."""
    taken = set()
    async with client.queue(TOPIC, group=GROUP, prefetch=HELD) as queue:
        async for message in queue:
            assert (message.attempt, message.crashes) == (2, 1)
            taken.add(message.value)
            await message.ack(confirm=True)
            if len(taken) == HELD:
                break
    assert taken == {b"%d-%d" % (number, message) for message in range(HELD)}
    (part,) = (await client.describe_queue(TOPIC, GROUP)).partitions
    assert part.ack_floor == (number + 1) * HELD
