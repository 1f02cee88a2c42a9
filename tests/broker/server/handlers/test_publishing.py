"""Publishing through a real server: receipts, retries, refusals, windows."""

import asyncio
import threading
from collections import Counter
from functools import partial
from typing import Any

import pytest

from tapemq.batch import BodyPrefix, Codec, Columns, checksum, encode_body
from tapemq.wire import messages as m
from tapemq.wire.errors import LIMIT_EXCEEDED
from tapemq_broker.core.inspection import inspect
from tapemq_broker.server import engine
from tapemq_broker.server.handlers import publishing
from tapemq_broker.server.unanswered import LARGE, Unanswered
from tests.support.ahead_clock import AheadClock
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import running_server
from tests.support.stuck_disk import StuckDisk


@pytest.mark.both_loops
async def test_a_receipt_names_offset_and_level() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        assert (await client.publish(topic, b"a", b"b"))[:3] == (0, 0, False)
        assert (await client.publish(topic, b"c", level=1))[:3] == (2, 1, False)
        assert (await client.publish(topic, b"d")).base_offset == 3
        assert server.status().totals["records_published"] == 4


async def test_a_retry_gets_the_original_offset() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        producer = await client.ask(m.OpenProducer(), m.Producer)
        numbered = {"producer_id": producer.producer_id}
        await client.publish(topic, b"a", **numbered)
        await client.publish(topic, b"b", first_sequence=1, **numbered)
        again = await client.publish(topic, b"a", **numbered)
        assert (again.base_offset, again.duplicate) == (0, True)
        assert server.status().totals["duplicates"] == 1


async def test_a_retry_is_known_though_the_clock_has_jumped_ahead_by_days() -> None:
    """A machine that learns the time late: no producer at work is forgotten because of that."""
    clock = AheadClock()
    async with running_server(clock=clock) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        first, *others = [await client.open_producer() for _ in range(3)]
        await client.publish(topic, b"a", producer_id=first)
        clock.wall_ahead_s = 2 * 86_400
        for producer_id in others:
            await client.publish(topic, b"b", producer_id=producer_id)
        again = await client.publish(topic, b"a", producer_id=first)
        assert (again.base_offset, again.duplicate) == (0, True)


async def test_refusals_are_answers_and_the_session_goes_on() -> None:
    async with running_server(record_bytes_max=1000, batch_bytes_max=2000) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        producer = (await client.ask(m.OpenProducer(), m.Producer)).producer_id
        await client.publish(topic, b"first", producer_id=producer)
        cases: dict[str, dict[str, Any]] = {
            "out_of_order": {"producer_id": producer, "first_sequence": 5},
            "batch_too_large": {"extension": b"x" * 3000},
            "unknown_partition": {"partition": 1},
            "bad_request": {"level": 2},
        }
        for name, fields in cases.items():
            with pytest.raises(Refused) as refused:
                await client.publish(topic, b"x", **fields)
            assert refused.value.name == name
        with pytest.raises(Refused) as refused:
            await client.publish(topic._replace(topic_id=1), b"x")
        assert refused.value.name == "stale_metadata"
        assert server.status().totals["publishes_refused"] == len(cases) + 1
        assert (await client.publish(topic, b"fine")).base_offset == 1


async def test_who_ignores_the_publish_window_is_closed() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk, publish_window_bytes=2048) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        body = encode_body(Columns([b"x" * 1500]))
        disk.stuck = True  # else some may be answered before all have come
        for _ in range(4):
            client.send(m.Publish(topic.topic_id, 0, checksum(body)), body)
        failure, _ = await client.push(m.Failure)
        assert failure.code == LIMIT_EXCEEDED.code
        assert await client.at_end()
        disk.release()


async def test_a_heavy_body_is_inspected_aside_and_keeps_its_place() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        heavy = encode_body(Columns([b"x" * 500_000]), codec=Codec.ZLIB)
        lying = encode_body(Columns([b"y" * 500_000]), codec=Codec.ZLIB)[:-1]
        light = encode_body(Columns([b"light"]))
        sent = [
            client.send(m.Publish(topic.topic_id, 0, checksum(body)), body)
            for body in (heavy, light, lying, heavy, light)
        ]
        with pytest.raises(Refused) as refused:
            await client.answer(sent.pop(2), m.Receipt)
        assert refused.value.name == "bad_batch"
        receipts = [await client.answer(correlation, m.Receipt) for correlation in sent]
        assert [receipt.base_offset for receipt in receipts] == [0, 1, 2, 3]


async def test_who_publishes_on_behind_what_is_inspected_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Small batches, or none at all: what they take beside their bytes would have no limit."""
    gate = threading.Event()

    def inspect_later(*args: Any) -> BodyPrefix:
        gate.wait()
        return inspect(*args)

    monkeypatch.setattr(publishing, "inspect", inspect_later)
    monkeypatch.setattr(engine, "Unanswered", partial(Unanswered, most=10 * LARGE))
    heavy = encode_body(Columns([b"x" * 500_000]), codec=Codec.ZLIB)
    async with running_server() as server:
        client, other = [await RawClient.connect(server.port) for _ in range(2)]
        topic = await client.topic("t")
        first = client.send(m.Publish(topic.topic_id, 0, checksum(heavy)), heavy)
        sent = [client.send(m.Publish(topic.topic_id, 0, 0), bytes(1000)) for _ in range(2000)]
        connection, seen = next(iter(server._sessions.by_number.values())), -1
        while seen != (seen := len(connection.held)):
            for _ in range(50):
                await other.ask(m.Ping(), m.Pong)
        gate.set()
        assert (await client.answer(first, m.Receipt)).base_offset == 0
        for correlation in sent:
            with pytest.raises(Refused):
                await client.answer(correlation, m.Receipt)
    assert 10 <= seen < 1000  # so many come with what has been read by then


async def test_what_waits_for_its_inspection_goes_with_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = threading.Event()

    def inspect_later(*args: Any) -> BodyPrefix:
        gate.wait()
        return inspect(*args)

    monkeypatch.setattr(publishing, "inspect", inspect_later)
    heavy = encode_body(Columns([b"x" * 500_000]), codec=Codec.ZLIB)
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        (connection,) = server._sessions.by_number.values()
        for _ in range(3):
            client.send(m.Publish(topic.topic_id, 0, checksum(heavy)), heavy)
        await client.ask(m.OpenProducer(), m.Producer)  # behind them
        assert len(connection.held) == 3
        client.close()
        await server._sessions.when_none()
        assert not connection.held
        gate.set()
        other = await RawClient.connect(server.port)
        assert (await other.publish(topic, b"0")).base_offset == 0


def large(value: bytes) -> bytes:
    """A body of which one fills a round of the servers below."""
    return encode_body(Columns([value * 100_000]))


@pytest.mark.both_loops
async def test_who_publishes_much_waits_for_the_next_sync_and_who_publishes_little_does_not() -> (
    None
):
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk, sync_round_bytes=100_000) as server:
        clients = [await RawClient.connect(server.port) for _ in range(4)]
        topic = await clients[0].topic("t")
        disk.stuck = True
        await clients[0].publish(topic, b"a round begins with it", level=1)
        sent = []
        for client, value in zip(clients, (b"a", b"b", b"c"), strict=False):
            body = large(value)
            sent.append(client.send(m.Publish(topic.topic_id, 0, checksum(body)), body))
            await client.ask(m.OpenProducer(), m.Producer)  # behind it
        behind = clients[2].send(m.Publish(topic.topic_id, 0, 0), b"not a body")
        body = encode_body(Columns([b"small"]))
        sent.append(clients[3].send(m.Publish(topic.topic_id, 0, checksum(body)), body))
        await clients[3].ask(m.OpenProducer(), m.Producer)
        disk.release()
        receipts = [
            await client.answer(correlation, m.Receipt)
            for client, correlation in zip(clients, sent, strict=True)
        ]
        # One large batch fills the round that gathers when the others come.
        assert [receipt.base_offset for receipt in receipts] == [1, 3, 4, 2]
        with pytest.raises(Refused):
            await clients[2].answer(behind, m.Receipt)


async def two_of_four_wait(port: int, disk: StuckDisk) -> tuple[list[RawClient], list[int]]:
    """Clients, and a large publish of each: one is being synced, one gathers, two wait."""
    clients = [await RawClient.connect(port) for _ in range(4)]
    topic = await clients[0].topic("t")
    disk.stuck = True
    sent, body = [], large(b"x")
    for client in clients:
        sent.append(client.send(m.Publish(topic.topic_id, 0, checksum(body)), body))
        await client.ask(m.OpenProducer(), m.Producer)
    return clients, sent


async def test_who_goes_while_it_waits_for_its_turn_holds_nobody_up() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk, sync_round_bytes=100_000) as server:
        clients, sent = await two_of_four_wait(server.port, disk)
        clients[2].close()
        while len(server._sessions.by_number) == len(clients):
            await clients[0].ask(m.Ping(), m.Pong)
        disk.release()
        assert (await clients[3].answer(sent[3], m.Receipt)).base_offset == 2


async def test_who_goes_in_the_moment_its_turn_comes_harms_nobody() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk, sync_round_bytes=100_000) as server:
        clients, sent = await two_of_four_wait(server.port, disk)
        gone = list(server._sessions.by_number.values())[2]
        server._engine.logs.turns.round_begins()
        gone.connection_lost(None)
        assert not gone.held
        disk.release()
        assert (await clients[3].answer(sent[3], m.Receipt)).base_offset == 2


async def test_a_topic_that_goes_lets_those_behind_it_in() -> None:
    """What had gathered goes with it, and needs no sync any more."""
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk, sync_round_bytes=100_000) as server:
        client, other = [await RawClient.connect(server.port) for _ in range(2)]
        gone, topic = await client.topic("gone"), await client.topic("t")
        disk.stuck = True
        for value in (b"in the round", b"behind it"):
            body = large(value)
            client.send(m.Publish(gone.topic_id, 0, checksum(body), level=1), body)
        body = large(b"y")
        sent = other.send(m.Publish(topic.topic_id, 0, checksum(body)), body)
        await other.ask(m.OpenProducer(), m.Producer)
        deleted = client.send(m.DeleteTopic("gone"))
        await client.ask(m.OpenProducer(), m.Producer)
        disk.release()
        assert (await other.answer(sent, m.Receipt)).base_offset == 0
        await client.answer(deleted, m.Done)


async def test_what_has_waited_keeps_nobody_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches behind a large one: a turn of the loop publishes what it has time for."""
    clock, published_in = AheadClock(), list[int]()
    loop, turns = asyncio.get_running_loop(), 0
    append = publishing.PublishingHandlers._append

    def count_turns() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(count_turns)

    def note(*args: Any) -> None:
        published_in.append(turns)
        clock.monotonic_ahead_s += 0.002
        append(*args)

    monkeypatch.setattr(publishing.PublishingHandlers, "_append", note)
    disk = StuckDisk(post=loop.call_soon)
    async with running_server(disk, clock=clock, sync_round_bytes=100_000) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        disk.stuck = True
        for body in (large(b"a"), large(b"b"), large(b"c"), *[encode_body(Columns([b"d"]))] * 50):
            last = client.send(m.Publish(topic.topic_id, 0, checksum(body)), body)
        await client.ask(m.OpenProducer(), m.Producer)  # behind them
        assert len(published_in) == 2, "one is being synced, and one gathers"
        count_turns()
        disk.release()
        assert (await client.answer(last, m.Receipt)).base_offset == 52
        assert len(published_in[2:]) == 51
        assert max(Counter(published_in[2:]).values()) <= 3, "of 5 ms, one takes 2"


class StandingClock(AheadClock):
    """No time passes."""

    def monotonic(self) -> float:
        return 1000.0


async def test_who_has_many_small_batches_publishes_a_share_of_the_round_in_its_turn() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk, clock=StandingClock(), sync_round_bytes=400_000) as server:
        clients = [await RawClient.connect(server.port) for _ in range(2)]
        topic = await clients[0].topic("t")
        disk.stuck = True
        await clients[0].publish(topic, b"a round begins with it", level=1)
        body = encode_body(Columns([bytes(20_000)]))
        message = m.Publish(topic.topic_id, 0, checksum(body))
        for _ in range(20):  # these fill the next one
            clients[0].send(message, body)
        sent = []
        for client in clients:
            sent += [(client, client.send(message, body)) for _ in range(10)]
            await client.ask(m.OpenProducer(), m.Producer)
        disk.release()
        offsets = [(await client.answer(each, m.Receipt)).base_offset for client, each in sent]
        assert offsets == [*range(21, 26), *range(31, 36), *range(26, 31), *range(36, 41)]


async def test_what_comes_when_the_last_has_waited_is_published_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the very turn of the event loop behind that in which nothing was left that waits."""
    loop, published = asyncio.get_running_loop(), 0
    append = publishing.PublishingHandlers._append
    disk = StuckDisk(post=loop.call_soon)
    async with running_server(disk, sync_round_bytes=100_000) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        body = large(b"x")
        message = m.Publish(topic.topic_id, 0, checksum(body))
        (connection,) = server._sessions.by_number.values()

        def come() -> None:
            for correlation in (101, 102, 103):
                connection._host.dispatch(connection, message, correlation, memoryview(body))

        def note(*args: Any) -> None:
            nonlocal published
            published += 1
            append(*args)
            if published == 3:
                loop.call_soon(come)

        monkeypatch.setattr(publishing.PublishingHandlers, "_append", note)
        disk.stuck = True
        for _ in range(3):
            client.send(message, body)
        await client.ask(m.OpenProducer(), m.Producer)  # behind them
        disk.release()
        offsets = [
            (await client.answer(number, m.Receipt)).base_offset for number in (101, 102, 103)
        ]
        assert (offsets, published) == ([3, 4, 5], 6)
