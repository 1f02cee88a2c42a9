"""Large settlements are carried out in parts, and answered once."""

import asyncio
from typing import Any

import pytest

from tapemq.wire import messages as m
from tapemq.wire.entries import pack_tokens
from tapemq_broker.core.effects import Effects
from tapemq_broker.server.handlers import settling
from tapemq_broker.server.handlers.queues import QueueHandlers
from tapemq_broker.server.unanswered import LARGE
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.queue_client import QueueClient, Taken, Token
from tests.support.raw_client import Refused
from tests.support.running_server import running_server

RECORDS = 60


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "AT_ONCE", 7)


async def leased(client: QueueClient, **settings: int | str | bool) -> tuple[m.Topic, list[Taken]]:
    topic = await client.topic("t")
    await client.publish(topic, *(b"%d" % number for number in range(RECORDS)))
    await client.consume(topic, settings=settings)
    return topic, await client.leases(RECORDS)


def every_second(leases: list[Taken]) -> list[Token]:
    return [token for lease in leases for token in lease.tokens(*lease.offsets[::2])]


async def test_a_large_settlement_is_one_on_disk_and_answered_once() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        topic, leases = await leased(client)
        tokens = every_second(leases)
        assert await client.settle("ack", tokens) == []
        assert server.status().totals["settled"] == {"ack": RECORDS // 2}
        lost = await client.settle("ack", tokens)
        assert sum(token.records for token in lost) == RECORDS // 2
        assert server.status().totals["settled"] == {"ack": RECORDS // 2}
    async with running_server(disk) as server:
        client = await QueueClient.connect(server.port)
        await client.consume(topic)
        left = await client.leases(RECORDS // 2)
        assert {offset % 2 for lease in left for offset in lease.offsets} == {1}


@pytest.mark.parametrize(("verb", "dead", "failures"), [("reject", RECORDS, 0), ("nack", 0, 1)])
async def test_long_runs_of_failures_take_several_turns(
    verb: str, dead: int, failures: int
) -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic, leases = await leased(client)
        tokens = [token for lease in leases for token in lease.tokens()]
        assert len(tokens) < 7
        assert await client.settle(verb, tokens, by_policy=False) == []
        queue = await client.ask(m.DescribeQueue(topic.topic_id, "g", 0), m.Queue)
        assert (queue.dead, queue.failed) == (dead, RECORDS)
        if failures:
            again = await client.leases(RECORDS)
            assert {lease.message.failures for lease in again} == {1}


@pytest.mark.parametrize("verb", ["ack", "release"])
@pytest.mark.parametrize("what", ["with keys", "failed before", "plain"])
async def test_runs_of_records_that_are_looked_at_one_by_one_take_several_turns(
    verb: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame can name a million of them, and each takes some microseconds."""
    sizes: list[int] = []
    settle_some = QueueHandlers._settle_some

    def spy(*args: Any) -> Effects:
        sizes.append(sum(count for _, _, count in args[-1]))
        return settle_some(*args)

    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        _, leases = await leased(client, key_lanes=what == "with keys")
        if what == "failed before":
            tokens = [token for lease in leases for token in lease.tokens()]
            assert await client.settle("nack", tokens, by_policy=False) == []
            client.send(m.Credit(1, RECORDS, 1 << 20))
            leases = await client.leases(RECORDS)
        monkeypatch.setattr(QueueHandlers, "_settle_some", spy)
        tokens = [
            (lease_id, first + at, min(5, count - at))
            for lease in leases
            for lease_id, first, count in lease.tokens()
            for at in range(0, count, 5)
        ]
        assert await client.settle(verb, tokens) == []
        assert sum(sizes) == RECORDS
        assert (max(sizes) <= 7 + 5) == (what != "plain")


async def test_what_a_client_has_settled_counts_though_it_hangs_up() -> None:
    async with running_server() as server:
        other = await QueueClient.connect(server.port)
        client = await QueueClient.connect(server.port)
        topic, leases = await leased(client)
        for lease in leases:
            client.started(lease.tokens())
        client.send(m.Settle(1, "ack"), pack_tokens(every_second(leases)))
        client.close()
        await other.consume(topic, group="g")
        again = await other.leases(RECORDS // 2)
        assert {offset % 2 for lease in again for offset in lease.offsets} == {1}
        queue = await other.ask(m.DescribeQueue(topic.topic_id, "g", 0), m.Queue)
        assert (queue.acked, queue.crashed, queue.consumers) == (RECORDS // 2, RECORDS // 2, 1)


async def test_who_hangs_up_is_given_nothing_more_while_that_is_carried_out() -> None:
    async with running_server() as server:
        other = await QueueClient.connect(server.port)
        client = await QueueClient.connect(server.port)
        topic, leases = await leased(client)
        client.send(m.Credit(1, 1000, 1 << 20))
        for _ in range(2):  # the second time in vain
            client.send(m.Settle(1, "release"), pack_tokens(every_second(leases)))
        client.close()
        await other.consume(topic)
        again = await other.leases(RECORDS)
        assert sorted(offset for lease in again for offset in lease.offsets) == [*range(RECORDS)]
        queue = await other.ask(m.DescribeQueue(topic.topic_id, "g", 0), m.Queue)
        assert (queue.leased, queue.crashed, queue.consumers) == (RECORDS, 0, 1)


async def test_what_a_client_has_settled_counts_though_it_unsubscribes() -> None:
    async with running_server() as server:
        other = await QueueClient.connect(server.port)
        client = await QueueClient.connect(server.port)
        topic, leases = await leased(client)
        client.send(m.Settle(1, "ack"), pack_tokens(every_second(leases)))
        await client.ask(m.Unsubscribe(1), m.Done)
        await other.consume(topic)
        again = await other.leases(RECORDS // 2)
        assert {offset % 2 for lease in again for offset in lease.offsets} == {1}
        queue = await other.ask(m.DescribeQueue(topic.topic_id, "g", 0), m.Queue)
        assert (queue.acked, queue.leased) == (RECORDS // 2, RECORDS // 2)


async def test_a_large_settlement_of_nobody_is_refused_once() -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        _, leases = await leased(client)
        with pytest.raises(Refused) as refused:
            await client.settle("ack", every_second(leases), subscription=9)
        assert refused.value.name == "unknown_subscription"
        await client.ask(m.Ping(), m.Pong)


def test_parts_have_all_that_there_is() -> None:
    tokens = [(1, 0, 20), (1, 30, 1), (2, 40, 6), *((3, 100 + number, 1) for number in range(20))]
    costs: dict[bool, settling.Cost] = {False: lambda token: 1, True: lambda token: token[2]}
    for by_record, cost in costs.items():
        parts = list(settling._parts(tokens, cost))
        offsets = [
            (lease_id, offset)
            for part in parts
            for lease_id, first, count in part
            for offset in range(first, first + count)
        ]
        assert offsets == [(token[0], token[1] + n) for token in tokens for n in range(token[2])]
        sizes = [sum(min(t[2], 7) for t in part) if by_record else len(part) for part in parts]
        assert max(sizes) <= 13
        assert list(settling._parts([], cost)) == []


@pytest.mark.parametrize("verb", ["ack", "nack", "reject", "release"])
async def test_a_token_may_name_far_more_than_was_leased(verb: str) -> None:
    count = 2**32 - 1
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        _, leases = await leased(client)
        number = leases[-1].message.lease_id
        lost = await client.settle(verb, [(number, 0, count), (number, count, count)])
        assert sum(token.records for token in lost) == 2 * count - len(leases[-1].offsets)


def test_what_a_token_says_is_no_work() -> None:
    tokens = [(1, 0, 2**32 - 1), (2, 0, 2**32 - 1)]
    assert list(settling._parts(tokens, lambda token: token[2])) == [[tokens[0]], [tokens[1]]]


async def test_who_settles_much_is_counted_and_so_is_who_leaves_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each keeps its tokens; a client that sends ever more of them would fill the memory."""
    counts: list[int] = []
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        _, leases = await leased(client)
        unanswered, settle_some = server._engine.unanswered, QueueHandlers._settle_some

        def settle(handlers: QueueHandlers, *args: Any) -> Effects:
            counts.append(sum(unanswered._counts.values()))
            return settle_some(handlers, *args)

        monkeypatch.setattr(QueueHandlers, "_settle_some", settle)
        tokens = every_second(leases)
        client.send(m.Settle(1, "ack"), pack_tokens(tokens))
        await client.ask(m.Unsubscribe(1), m.Done)
        assert set(counts) == {LARGE + len(tokens) // 4 + 1}
        assert not unanswered._counts
