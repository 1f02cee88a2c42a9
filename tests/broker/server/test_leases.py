"""Leases are read, cut, sent and reported; here without a core, which decides what follows."""

import asyncio
import errno
from types import SimpleNamespace
from typing import Any

import pytest

from tapemq.batch import Codec
from tapemq.wire import messages as m
from tapemq.wire.entries import unpack_runs
from tapemq_broker.config import Settings
from tapemq_broker.core.effects import DeliverLease, Effects, SubscriptionKey
from tapemq_broker.server.clock import RealClock
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.disk_reads import DiskReads
from tapemq_broker.server.leases import Leases
from tapemq_broker.server.read_retries import ReadRetries
from tapemq_broker.server.rising_clock import RisingClock
from tapemq_broker.server.shortage import Shortage
from tapemq_broker.storage.errors import CorruptLog, OffsetOutOfRange
from tapemq_broker.storage.record_log import Chunk
from tests.support.chunks import LOG, batch, chunk, numbered, offsets

KEY = SubscriptionKey(1, 5)
Outcome = Chunk | Exception | None


class Plan:
    """A read that brings what it was made with; None: at first it would have to wait."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        self._outcomes = outcomes

    def run(self, wait: bool) -> Chunk | None:
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Rig:
    """A log of batches of ten records, a session, and a core that notes what is reported."""

    def __init__(self) -> None:
        self.upto = 100
        self.outcomes: list[Outcome] = []
        self.reads: list[tuple[int, object]] = []
        self.sent: list[tuple[m.Leased, bytes]] = []
        self.reports: list[dict[str, Any]] = []
        self.failures: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.stalled_sessions: list[int] = []
        self.next_wishes: list[DeliverLease] = []
        self.ran_from: list[bool] = []
        # What Leases use of sessions, of a connection and of a log.
        self.settings = Settings()
        self.counters = Counters()
        self.paused = False
        self.durable_offset = 100
        self.ttl_s = 0
        self.leases = Leases(
            SimpleNamespace(queues=self, topics=self),  # type: ignore[arg-type]
            SimpleNamespace(data=lambda log_id: self),  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            RealClock(),
            RisingClock(RealClock(), 0),
            DiskReads(4),
            self.run,
            self.spawn,
            ReadRetries(Shortage(RealClock()), self.spawn),
        )

    @property
    def by_id(self) -> dict[int, Any]:
        settings = {"ttl_s": self.ttl_s} if self.ttl_s else {}
        return {LOG.topic_id: SimpleNamespace(info=SimpleNamespace(settings=settings))}

    def get(self, session: int) -> "Rig | None":
        return self if session == 1 else None

    def plan(self, offset: int, *, upto: int, max_bytes: int, hint: object) -> Plan:
        self.reads.append((offset, hint))
        if not self.outcomes:
            base = offset // 10 * 10
            self.outcomes.append(chunk(numbered(base, 10), next_offset=base + 10, hint=base + 10))
        return Plan(self.outcomes)

    def send(self, message: m.Leased, *, payload: memoryview) -> None:
        self.sent.append((message, bytes(payload)))

    def is_wanted(self, delivery: DeliverLease) -> bool:
        return delivery.lease_id > 0

    def stalled(self, session: int) -> None:
        self.stalled_sessions.append(session)

    def lease_sent(self, delivery: DeliverLease, **report: Any) -> Effects:
        self.reports.append({"lease_id": delivery.lease_id, **report})
        return [self.next_wishes.pop(0)] if self.next_wishes else []

    def lease_failed(self, delivery: DeliverLease, reason: Any) -> Effects:
        self.failures.append(reason.text)
        return []

    def run(self, effects: Effects) -> None:
        for effect in effects:
            assert isinstance(effect, DeliverLease)
            self.leases.start(effect)

    def spawn(self, work: Any) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        await asyncio.sleep(0)
        while self.tasks:
            await self.tasks.pop(0)
            await asyncio.sleep(0)


def wish(*runs: tuple[int, int], lease_id: int = 1, **fields: Any) -> DeliverLease:
    counts = {"failures": 0, "crashes": 0, "deliveries": 0, "max_bytes": 1 << 20} | fields
    return DeliverLease(KEY, LOG, lease_id, runs, 30.0, **counts)


@pytest.fixture
async def rig() -> Rig:
    return Rig()


def payloads(rig: Rig) -> list[list[int]]:
    return [offsets(payload) for _, payload in rig.sent]


def runs(message: m.Leased) -> list[tuple[int, int]]:
    return [(run.first_offset, run.records) for run in unpack_runs(message.runs)]


async def test_a_lease_is_sent_and_reported_in_the_same_turn(rig: Rig) -> None:
    rig.leases.start(wish((3, 5), (8, 12), failures=1, crashes=2, deliveries=4))
    [(message, payload)] = rig.sent
    assert message == m.Leased(5, 0, 1, message.runs, 30_000, 1, 2, 4)
    assert runs(message) == [(3, 2), (8, 4)]
    assert offsets(payload) == [3, 4, 8, 9, 10, 11]
    [report] = rig.reports
    assert (report["upto"], report["size_bytes"]) == (12, len(payload))
    assert (report["absent"], report["expired"], report["too_old"]) == ([], [], [])
    assert (rig.counters.leases, rig.counters.records_leased) == (1, 6)
    assert rig.counters.bytes_leased == len(payload)


async def test_what_was_read_is_not_read_again(rig: Rig) -> None:
    for first in range(0, 20, 2):
        rig.leases.start(wish((first, first + 2)))
    assert rig.reads == [(0, None), (10, 10)]
    assert payloads(rig) == [[first, first + 1] for first in range(0, 20, 2)]


async def test_reports_that_bring_more_are_not_nested(rig: Rig) -> None:
    rig.next_wishes = [wish((number, number + 1), lease_id=2 + number) for number in range(2000)]
    rig.durable_offset = 2000
    rig.leases.start(wish((0, 1)))
    await rig.settled()
    assert [report["lease_id"] for report in rig.reports] == list(range(1, 2002))


async def test_a_turn_of_the_loop_ends_when_enough_was_sent(rig: Rig) -> None:
    rig.next_wishes = [wish((number, number + 1)) for number in range(99)]
    rig.leases.start(wish((99, 100)))
    first_turn = len(rig.sent)
    assert 1 < first_turn < 100
    await rig.settled()
    assert len(rig.sent) == 100


async def test_a_slow_read_goes_to_a_thread(rig: Rig) -> None:
    rig.outcomes = [None, chunk(numbered(0, 10), next_offset=10)]
    rig.leases.start(wish((2, 4)))
    assert not rig.sent
    await rig.settled()
    assert payloads(rig) == [[2, 3]]
    assert rig.counters.reads_from_disk == 1


async def test_what_is_at_hand_does_not_wait_for_a_slow_read(rig: Rig) -> None:
    rig.outcomes = [chunk(numbered(0, 10), next_offset=10), None]
    rig.leases.start(wish((8, 12)))
    assert payloads(rig) == [[8, 9]]
    assert rig.reports[0]["upto"] == 10


async def test_void_leases_are_neither_sent_nor_reported(rig: Rig) -> None:
    rig.leases.start(wish((0, 1), lease_id=0))
    assert not rig.sent
    assert not rig.reports


async def test_a_lease_that_became_void_while_it_was_read_is_not_sent(rig: Rig) -> None:
    rig.outcomes = [None, chunk(numbered(0, 10), next_offset=10)]
    rig.leases.start(wish((2, 4)))
    rig.is_wanted = lambda delivery: False  # type: ignore[method-assign]
    await rig.settled()
    assert not rig.sent
    assert not rig.reports


async def test_who_does_not_read_is_passed_over(rig: Rig) -> None:
    rig.paused = True
    rig.leases.start(wish((3, 5)))
    assert rig.stalled_sessions == [1]
    [report] = rig.reports
    assert (report["upto"], report["size_bytes"]) == (3, 0)
    assert not rig.reads
    assert not rig.sent


async def test_others_need_not_wait_for_who_is_gone(rig: Rig) -> None:
    """What it said last may still be carried out, and keep its leases until then."""
    rig.leases.start(wish((3, 5))._replace(key=SubscriptionKey(2, 5)))
    [report] = rig.reports
    assert (report["upto"], report["size_bytes"]) == (3, 0)
    assert not rig.sent


@pytest.mark.parametrize("slowly", [False, True])
async def test_damage_is_reported(rig: Rig, slowly: bool) -> None:
    rig.outcomes = [CorruptLog("a segment", 7, 3, 9, "it is damaged")]
    if slowly:
        rig.outcomes.insert(0, None)
    rig.leases.start(wish((3, 5)))
    await rig.settled()
    assert "it is damaged" in rig.failures[0]
    assert not rig.reports
    assert rig.counters.corrupt_reads == 1


async def test_what_is_before_damage_is_sent_first(rig: Rig) -> None:
    good = chunk(numbered(0, 10), next_offset=10)
    rig.outcomes = [good, CorruptLog("a segment", 7, 10, 20, "it is damaged")]
    rig.leases.start(wish((8, 12)))
    assert payloads(rig) == [[8, 9]]
    assert rig.reports[0]["upto"] == 10
    assert not rig.failures


async def test_what_retention_removed_is_absent(rig: Rig) -> None:
    rig.outcomes = [OffsetOutOfRange(2, 10, 100), chunk(numbered(10, 10), next_offset=20)]
    rig.leases.start(wish((2, 4), (8, 12)))
    rig.outcomes = []
    assert payloads(rig) == [[10, 11]]
    assert rig.reports[0]["absent"] == [(2, 4), (8, 10)]


async def test_nothing_is_sent_where_nothing_is_left(rig: Rig) -> None:
    rig.outcomes = [OffsetOutOfRange(2, 10, 100)]
    rig.leases.start(wish((2, 4)))
    assert not rig.sent
    assert rig.reports[0] | {"now": 0, "now_us": 0} == {
        "lease_id": 1,
        "upto": 4,
        "size_bytes": 0,
        "now": 0,
        "now_us": 0,
        "absent": [(2, 4)],
        "expired": [],
        "too_old": [],
    }


@pytest.mark.parametrize(
    ("fields", "ttl_s", "report"), [({"max_age_ms": 1}, 0, "too_old"), ({}, 1, "expired")]
)
async def test_old_records_are_reported(
    rig: Rig, fields: dict[str, int], ttl_s: int, report: str
) -> None:
    rig.ttl_s = ttl_s
    rig.leases.start(wish((2, 4), **fields))
    assert not rig.sent
    assert rig.reports[0][report] == [(2, 4)]


async def test_an_offset_that_cannot_be_is_damage(rig: Rig) -> None:
    rig.outcomes = [OffsetOutOfRange(2, 0, 1)]
    rig.leases.start(wish((2, 4)))
    assert len(rig.failures) == 1


async def test_what_lives_again_has_no_age(rig: Rig) -> None:
    rig.ttl_s = 1
    rig.leases.start(wish((2, 4), max_age_ms=1, lives_again=True))
    assert payloads(rig) == [[2, 3]]


async def test_records_past_their_own_time_are_reported_and_counted(rig: Rig) -> None:
    rig.outcomes = [chunk(batch(0, [b"0", b"1", b"2"], ttls_us=[1, 0, 1]), next_offset=3)]
    rig.leases.start(wish((0, 3)))
    assert payloads(rig) == [[1]]
    assert rig.reports[0]["expired"] == [(0, 1), (2, 3)]
    assert rig.counters.records_expired == 2


async def test_what_takes_long_to_decode_is_decoded_in_a_thread(rig: Rig) -> None:
    large = [bytes(300_000), b"1"]
    data = chunk(batch(0, large, codec=Codec.ZLIB, ttls_us=[1, 1]), next_offset=2)
    rig.outcomes = [data, data]
    rig.leases.start(wish((0, 2)))
    assert not rig.reports
    await rig.settled()
    assert rig.reports[0]["expired"] == [(0, 2)]
    assert not rig.sent


async def test_files_that_went_with_their_topic_are_no_damage(rig: Rig) -> None:
    rig.outcomes += [None, FileNotFoundError("it was removed")]
    rig.leases.start(wish((3, 5)))
    answers = iter((True, False))
    rig.is_wanted = lambda delivery: next(answers)  # type: ignore[method-assign]
    await rig.settled()
    assert rig.outcomes == []
    assert not rig.failures
    assert rig.counters.corrupt_reads == 0


async def test_a_lease_for_which_no_file_can_be_opened_is_read_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing more would come from that partition until the next start."""
    monkeypatch.setattr("tapemq_broker.server.read_retries._RETRY_S", 0.0)
    rig.outcomes = [OSError(errno.EMFILE, "too many open files")]
    rig.leases.start(wish((3, 5)))
    await rig.settled()
    await rig.settled()
    assert payloads(rig) == [[3, 4]]
    assert rig.failures == []
    assert "LimitNOFILE" in caplog.text
