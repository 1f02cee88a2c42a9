"""Publishes that wait on their connection are answered at their deadlines, and never appended."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from tapemq.batch import BodyPrefix, Codec, Columns, checksum, encode_body
from tapemq.wire import messages as m
from tapemq.wire.errors import ERRORS
from tapemq_broker.core.inspection import inspect
from tapemq_broker.server.handlers import publishing
from tapemq_broker.server.server import Server
from tests.support.ahead_clock import AheadClock
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import running_server
from tests.support.stuck_disk import StuckDisk

LATE = "deadline_exceeded"
SMALL = encode_body(Columns([b"small"]))
LARGE = encode_body(Columns([b"x" * 100_000]))
"""It fills a round of the servers below."""
HEAVY = encode_body(Columns([b"x" * 500_000]), codec=Codec.ZLIB)
LYING = encode_body(Columns([b"x" * 500_000]), codec=Codec.ZLIB)[:-1]


class Setup(NamedTuple):
    """A server with a client."""

    server: Server
    disk: StuckDisk
    clock: AheadClock
    client: RawClient
    topic: m.Topic

    def send(self, body: bytes, *, deadline: bool = False, correlation: int | None = None) -> int:
        """Publish, with a deadline that tick() is behind, or without one."""
        deadline_ms = 10_000 if deadline else 0
        message = m.Publish(self.topic.topic_id, 0, checksum(body), deadline_ms=deadline_ms)
        return self.client.send(message, body, correlation=correlation)

    async def all_have_come(self) -> None:
        await self.client.ask(m.Ping(), m.Pong)

    async def tick(self) -> None:
        """The deadlines pass of what was sent."""
        await self.all_have_come()
        self.clock.monotonic_ahead_s += 20.0
        self.server._engine.expire_requests(self.clock.monotonic())
        await self.all_have_come()

    def answers(self, *sent: int) -> list[str]:
        """What has been answered to each by now, "" if nothing was."""
        answers = [self.client._answers.pop(correlation, None) for correlation in sent]
        return [ERRORS[one.code].name if isinstance(one, m.Failure) else "" for one in answers]

    async def offsets(self, *sent: int) -> list[int]:
        return [(await self.client.answer(each, m.Receipt)).base_offset for each in sent]

    def counted(self) -> tuple[int, dict[int, int]]:
        """Bytes that are being published, and what counts as unanswered."""
        counts = self.server._engine.unanswered._counts
        return self.server._sessions.memory.used_bytes, dict(counts)


@asynccontextmanager
async def setup(gate: threading.Event | None = None) -> AsyncIterator[Setup]:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    clock = AheadClock()
    async with running_server(disk, clock=clock, sync_round_bytes=100_000) as server:
        client = await RawClient.connect(server.port)
        try:
            yield Setup(server, disk, clock, client, await client.topic("t"))
        finally:  # else the server's stop would hang, too
            disk.release()
            if gate is not None:
                gate.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Bodies are inspected when it is set."""
    event = threading.Event()

    def inspect_later(*args: Any) -> BodyPrefix:
        event.wait()
        return inspect(*args)

    monkeypatch.setattr(publishing, "inspect", inspect_later)
    return event


@pytest.mark.both_loops
async def test_what_waits_for_its_turn_is_answered_at_its_deadline_and_not_published() -> None:
    async with setup() as one:
        one.disk.stuck = True
        sent = [one.send(LARGE, deadline=True) for _ in range(6)]
        await one.tick()
        assert one.answers(*sent) == [LATE] * 6
        assert one.server.status().totals["publishes_refused"] == 6
        assert len(one.server._sessions.by_number[1].held) == 1  # whose turn may still come
        assert one.counted()[0] == 0
        one.disk.release()
        # One was being synced, and one gathered.
        assert (await one.client.publish(one.topic, b"next")).base_offset == 2
        assert one.answers(*sent) == [""] * 6, "answered once"
        assert one.counted() == (0, {})


async def test_others_keep_their_places_around_it() -> None:
    async with setup() as one:
        one.disk.stuck = True
        kept = [one.send(LARGE) for _ in range(2)]
        late = [one.send(LARGE, deadline=True)]
        for _ in range(3):
            kept.append(one.send(LARGE))
            late.append(one.send(SMALL, deadline=True))
        await one.tick()
        assert one.answers(*late, *kept) == [LATE] * 4 + [""] * 5
        assert one.counted()[0] == 5 * len(LARGE)
        kept.append(one.send(SMALL))
        one.disk.release()
        assert await one.offsets(*kept) == [0, 1, 2, 3, 4, 5]
        assert one.counted() == (0, {})


async def test_a_deadline_that_has_not_come_yet_is_kept_later() -> None:
    async with setup() as one:
        one.disk.stuck = True
        early = [one.send(LARGE, deadline=True) for _ in range(4)]
        await one.all_have_come()
        one.clock.monotonic_ahead_s += 5.0
        later = one.send(LARGE, deadline=True)
        await one.all_have_come()
        one.clock.monotonic_ahead_s += 7.0
        one.server._engine.expire_requests(one.clock.monotonic())
        await one.all_have_come()
        assert one.answers(*early, later) == [LATE] * 4 + [""]
        await one.tick()
        assert one.answers(later) == [LATE]


async def test_what_is_being_inspected_is_dropped_when_that_is_over(gate: threading.Event) -> None:
    async with setup(gate) as one:
        late = [one.send(HEAVY, deadline=True) for _ in range(2)]
        kept = one.send(SMALL)
        await one.all_have_come()
        await one.tick()
        assert one.answers(*late, kept) == [LATE, LATE, ""]
        gate.set()
        assert await one.offsets(kept) == [0]
        assert one.answers(*late) == ["", ""], "answered once"
        assert one.counted() == (0, {})


async def test_what_is_refused_when_it_is_late_is_not_answered_again(gate: threading.Event) -> None:
    """The number may be another request's by then."""
    async with setup(gate) as one:
        late = one.send(LYING, deadline=True)
        await one.all_have_come()
        await one.tick()
        assert one.answers(late) == [LATE]
        again = one.send(HEAVY, correlation=late)
        gate.set()
        assert await one.offsets(again) == [0]
        assert one.counted() == (0, {})


async def test_a_heavy_body_behind_one_that_was_late_is_inspected_aside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inspected_in = list[int]()

    def note(*args: Any) -> BodyPrefix:
        inspected_in.append(threading.get_ident())
        return inspect(*args)

    monkeypatch.setattr(publishing, "inspect", note)
    async with setup() as one:
        one.disk.stuck = True
        late = [one.send(LARGE, deadline=True) for _ in range(3)]
        kept = one.send(HEAVY)
        await one.tick()
        assert one.answers(*late) == [LATE] * 3
        one.disk.release()
        assert await one.offsets(kept) == [2]
        assert len(inspected_in) == 1
        assert threading.get_ident() not in inspected_in


async def test_what_comes_behind_late_ones_is_published_once_and_in_order() -> None:
    """The task that waits for the turn of a late one goes on with them: there is no other."""
    async with setup() as one:
        one.disk.stuck = True
        late = [one.send(LARGE, deadline=True) for _ in range(4)]
        await one.tick()
        kept = [one.send(body) for body in (SMALL, LARGE, SMALL)]
        await one.all_have_come()
        tasks = [repr(task) for task in one.server._engine._tasks]
        assert sum("_publish_held" in task for task in tasks) == 1
        one.disk.release()
        assert one.answers(*late) == [LATE] * 4
        assert await one.offsets(*kept) == [2, 3, 4]
        assert one.server.status().totals["batches_published"] == 5


async def test_who_has_late_ones_and_goes_leaves_nothing_behind() -> None:
    async with setup() as one:
        one.disk.stuck = True
        for _ in range(4):
            one.send(LARGE, deadline=True)
        await one.tick()
        one.client.close()
        await one.server._sessions.when_none()
        one.disk.release()
        other = await RawClient.connect(one.server.port)
        assert (await other.publish(one.topic, b"next")).base_offset == 2
        assert one.counted() == (0, {})
        one.server._engine.expire_requests(one.clock.monotonic())
        assert not one.server._engine.held._soonest


@pytest.mark.parametrize(
    ("is_known", "behind"), [(True, "out_of_order"), (False, "unknown_producer")]
)
async def test_a_producer_sends_again_what_was_late_and_gets_all_in_order(
    is_known: bool, behind: str
) -> None:
    async with setup() as one:
        producer, sequence = await one.client.open_producer(), 0
        if is_known:
            await one.client.publish(one.topic, b"0", producer_id=producer)
            sequence = 1
        bodies = [
            encode_body(Columns([b"x" * 100_000]), producer_id=producer, first_sequence=number)
            for number in (sequence, sequence + 1)
        ]
        one.disk.stuck = True
        before = [one.send(LARGE) for _ in range(2)]
        late, next_one = one.send(bodies[0], deadline=True), one.send(bodies[1])
        await one.tick()
        assert one.answers(late) == [LATE]
        one.disk.release()
        with pytest.raises(Refused) as refused:
            await one.client.answer(next_one, m.Receipt)
        assert refused.value.name == behind
        again = [one.send(body) for body in bodies]
        receipts = [await one.client.answer(each, m.Receipt) for each in (*before, *again)]
        first = receipts[0].base_offset
        assert [one.base_offset - first for one in receipts] == [0, 1, 2, 3]
        assert not any(one.duplicate for one in receipts)
