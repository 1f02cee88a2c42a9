"""A healthy pair beside who misbehaves: memory stays bounded, nobody healthy loses anything.

Each case is a broker under a memory limit, a healthy pair alone for a while, then the same beside
an offender. How fast the pair is then is noted, not asserted: the machine is not ours alone. The
long form (TEST_LONG=1) takes minutes a case, with many more offenders.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest

from tests.support.crash.broker import Broker
from tests.support.overload.healthy import Seen
from tests.support.overload.memory_group import MemoryGroup, memory_group, missing
from tests.support.proof.evidence import Evidence
from tests.support.warm_process import WarmProcess

pytestmark = [pytest.mark.faults, pytest.mark.skipif(bool(missing()), reason=missing())]

LONG = bool(os.environ.get("TEST_LONG"))
LIMIT_BYTES = 256 * 1024 * 1024
HEALTHY_PER_S = 200
ALONE_S, BESIDE_S = (60.0, 60.0) if LONG else (0.2, 1.0)
"""In the short form, the pair alone is there only to have the broker warm."""
MIB_KIB = 1024


class Case(NamedTuple):
    """So many offenders, in the short and in the long form; what the broker may take for them."""

    unit: str
    short: int
    long: int
    growth_max_kib: int
    promises: tuple[str, ...] = ("P20",)

    @property
    def clients(self) -> int:
        return self.long if LONG else self.short


SHUT = ("P20", "P25")
CASES = {
    "slow readers": Case("readers that stand still", 100, 500, 64 * MIB_KIB),
    "giant frames": Case("frames of up to 4 GiB", 300, 10_000, 4 * MIB_KIB),
    "decoder bombs": Case("headers that would take much", 300, 10_000, 4 * MIB_KIB),
    "connection flood": Case("connections", 600, 20_000, 16 * MIB_KIB, SHUT),
    "slowloris": Case("handshakes of a byte a second", 300, 5_000, 32 * MIB_KIB, SHUT),
    "half handshakes": Case("half handshakes of 4 KiB", 300, 5_000, 64 * MIB_KIB, SHUT),
    "half frames": Case("half frames of 4 MiB", 100, 400, 160 * MIB_KIB),
    "large frames": Case("frames of 4 MiB", 100, 400, 160 * MIB_KIB),
    "producers": Case("producers of records of 1 MiB", 20, 100, 192 * MIB_KIB),
}
IDLE = Case("idle connections", 1_000, 9_900, 0)
IDLE_KIB_MAX = 32


@pytest.fixture
def limits() -> Iterator[MemoryGroup]:
    with memory_group(f"tapemq-test-{os.getpid()}", LIMIT_BYTES) as group:
        yield group


@pytest.fixture
def broker(limits: MemoryGroup, tmp_path: Path) -> Iterator[Broker]:
    running = Broker(
        tmp_path / "data",
        *("--handshake-deadline-s", "1", "--heartbeat-s", "5", "--write-stall-s", "1"),
        *("--publish-memory-bytes", str(64 * 1024 * 1024)),
        *("--outbound-memory-bytes", str(32 * 1024 * 1024)),
    )
    running.start()
    limits.add(running.pid)
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.kill_if_running()


def kib(broker: Broker, name: str) -> int:
    """VmRSS or VmHWM."""
    status = Path(f"/proc/{broker.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name))


def forget_peak(broker: Broker) -> None:
    Path(f"/proc/{broker.pid}/clear_refs").write_text("5")


def module(name: str, *arguments: object) -> WarmProcess:
    """A process beside the broker."""
    return WarmProcess(f"tests.support.overload.{name}", *arguments)


def healthy(broker: Broker, seconds: float) -> Seen:
    printed = module("healthy", broker.url, seconds, HEALTHY_PER_S).communicate()
    return Seen(**json.loads(printed))


@contextlib.contextmanager
def offending(broker: Broker, kind: str, count: int) -> "Iterator[dict[str, int]]":
    """An offender; what came of it is there when the block has ended."""
    port = broker.url.rsplit(":", 1)[1]
    came: dict[str, int] = {}
    with module("offender", kind, port, BESIDE_S + 0.5, count) as process:
        assert process.stdout.readline() == "connected\n"
        yield came
        came.update(json.loads(process.stdout.readline()))


def look(broker: Broker, evidence: Evidence) -> None:
    """The HTTP side answers beside the offender, and says how late the event loop is."""
    url = f"http://127.0.0.1:{broker.http_port}"
    with urlopen(f"{url}/healthz", timeout=30) as answer:
        assert answer.status == 200
    with urlopen(f"{url}/metrics", timeout=30) as answer:
        (lag,) = re.findall(r"^tapemq_event_loop_lag_seconds (\S+)", answer.read().decode(), re.M)
    evidence.note(loop_lag_ms=round(float(lag) * 1000, 1))


def note(
    evidence: Evidence, case: Case, came: dict[str, int], alone: Seen, beside: Seen, grown_kib: int
) -> None:
    """What the healthy pair lost beside so many offenders, and how fast it was alone and then."""
    evidence.note(*case.promises, cycles=came["tries"], unit=case.unit, attempted=beside.published)
    evidence.note(lost=beside.published - beside.read, wrong=beside.wrong)
    if LONG:
        evidence.note(alone_per_s=round(alone.per_s), beside_per_s=round(beside.per_s))
        evidence.note(alone_p99_ms=round(alone.p99_ms, 1), beside_p99_ms=round(beside.p99_ms, 1))
    evidence.note(memory_limit_mib=LIMIT_BYTES // 2**20, grown_mib=round(grown_kib / MIB_KIB, 1))


def check(seen: Seen) -> None:
    assert seen.published > 0
    assert (seen.read, seen.wrong) == (seen.published, 0)


@pytest.mark.parametrize("kind", CASES)
def test_an_offender_is_bounded_and_the_healthy_go_on(
    broker: Broker, limits: MemoryGroup, kind: str, evidence: Evidence
) -> None:
    case = CASES[kind]
    alone = healthy(broker, ALONE_S)
    forget_peak(broker)
    before_kib = kib(broker, "VmRSS")
    with offending(broker, kind, case.clients) as came:
        beside = healthy(broker, BESIDE_S)
        look(broker, evidence)
    growth_kib = kib(broker, "VmHWM") - before_kib
    note(evidence, case, came, alone, beside, growth_kib)
    print(f"\n{kind}: {came}, memory +{growth_kib} KiB\n  alone  {alone}\n  beside {beside}")
    check(alone)
    check(beside)
    assert growth_kib < case.growth_max_kib
    assert limits.killed == 0
    assert came.get("closed", came["tries"]) == came["tries"]
    assert broker.stop() == 0


def test_idle_connections_stay_and_cost_little(
    broker: Broker, limits: MemoryGroup, evidence: Evidence
) -> None:
    alone = healthy(broker, ALONE_S)
    before_kib = kib(broker, "VmRSS")
    with offending(broker, "idle", IDLE.clients) as came:
        grown_kib = kib(broker, "VmRSS") - before_kib
        beside = healthy(broker, BESIDE_S)
        look(broker, evidence)
    note(evidence, IDLE, came, alone, beside, grown_kib)
    evidence.note(each_kib=round(grown_kib / IDLE.clients, 1))
    print(f"\nidle: {came}, {grown_kib / IDLE.clients:.1f} KiB each\n  {alone}\n  {beside}")
    check(alone)
    check(beside)
    assert came["open"] == IDLE.clients
    assert grown_kib < IDLE.clients * IDLE_KIB_MAX
    assert limits.killed == 0
    assert broker.stop() == 0
