"""Looking at queue groups and changing them, through a real server."""

import errno
import threading
from collections.abc import AsyncIterator
from functools import partial

import pytest

from tapemq.wire import messages as m
from tapemq.wire.entries import pack_runs
from tapemq.wire.pages import unpack_page
from tapemq_broker.server import engine
from tapemq_broker.server.unanswered import LARGE, Unanswered
from tapemq_broker.storage.reading import ReadPlan
from tapemq_broker.storage.record_log import Chunk
from tests.support.queue_client import QueueClient
from tests.support.raw_client import Refused
from tests.support.running_server import running_server


@pytest.fixture
async def client() -> AsyncIterator[QueueClient]:
    async with running_server() as server:
        yield await QueueClient.connect(server.port)


async def with_dead(client: QueueClient, count: int = 4) -> m.Topic:
    """A topic of so many records, half of them dead for each of two reasons."""
    topic = await client.topic("t")
    await client.publish(topic, *(b"%d" % number for number in range(count)))
    await client.consume(topic)
    for lease in await client.leases(count):
        for token in lease.tokens(*lease.offsets):
            reason = "odd" if token[1] % 2 else "even"
            await client.settle("reject", [token], reason=reason, error=f"error {token[1]}")
    return topic


async def described(client: QueueClient, topic: m.Topic) -> m.Queue:
    return await client.ask(m.DescribeQueue(topic.topic_id, "g", 0), m.Queue)


async def test_a_queue_says_how_old_its_oldest_record_is(client: QueueClient) -> None:
    topic = await client.topic("t")
    first = await client.publish(topic, b"a", b"b")
    second = await client.publish(topic, b"c")
    await client.consume(topic)
    leases = await client.leases(3)
    tokens = [token for lease in leases for token in lease.tokens(*lease.offsets)]
    queue = await described(client, topic)
    assert queue.leased == 3
    assert first.append_time_us <= queue.oldest_unsettled_us <= second.append_time_us
    await client.settle("ack", tokens[:2])
    queue = await described(client, topic)
    assert queue.ack_floor == 2
    assert queue.oldest_unsettled_us >= second.append_time_us
    await client.settle("ack", tokens[2:])
    assert (await described(client, topic)).oldest_unsettled_us == 0


async def test_settings_change_and_pause(client: QueueClient) -> None:
    topic = await client.topic("t")
    await client.consume(topic, settings={"max_attempts": 3})
    paused = m.AlterQueue(topic.topic_id, "g", {"paused": True, "lease_ms": 5000})
    await client.ask(paused, m.Done)
    settings = (await described(client, topic)).settings
    assert settings == {"max_attempts": 3, "paused": True, "lease_ms": 5000}
    await client.publish(topic, b"a")
    explained = await client.ask(m.Explain(topic.topic_id, "g"), m.Explanation)
    assert explained.state == "paused"
    assert explained.sentences
    await client.ask(m.AlterQueue(topic.topic_id, "g", {"paused": False}), m.Done)
    assert (await client.leased()).message.lease_ms == 5000


async def test_dead_records_are_listed_in_pages_and_by_reason(client: QueueClient) -> None:
    topic = await with_dead(client)
    page = await client.ask(m.ListDead(topic.topic_id, "g", 0, after_offset=1), m.DeadPage)
    rows = unpack_page(client.payload)
    assert not page.more
    assert [(row["offset"], row["reason"], row["error"]) for row in rows] == [
        *((1, "odd", "error 1"), (2, "even", "error 2"), (3, "odd", "error 3"))
    ]
    await client.ask(m.ListDead(topic.topic_id, "g", 0, reason="even"), m.DeadPage)
    assert [row["offset"] for row in unpack_page(client.payload)] == [0, 2]


async def test_the_dead_live_again(client: QueueClient) -> None:
    topic = await with_dead(client)
    tried = m.Redrive(topic.topic_id, "g", 0, all=True, dry_run=True)
    assert (await client.ask(tried, m.Affected)).records == 4
    some = m.Redrive(topic.topic_id, "g", 0)
    assert (await client.ask(some, m.Affected, pack_runs([(1, 2)]))).records == 2
    leases = await client.leases(2)
    assert sorted(offset for lease in leases for offset in lease.offsets) == [1, 2]
    assert {lease.message.failures for lease in leases} == {0}
    assert (await described(client, topic)).dead == 2


async def test_the_dead_are_discarded(client: QueueClient) -> None:
    topic = await with_dead(client)
    odd = m.Discard(topic.topic_id, "g", 0, reason="odd")
    assert (await client.ask(odd, m.Affected)).records == 2
    queue = await described(client, topic)
    assert (queue.dead, queue.ready, queue.ack_floor) == (2, 0, 4)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (m.DescribeQueue(1, "none", 0), "unknown_group"),
        (m.DescribeQueue(1, "g", 7), "unknown_partition"),
        (m.AlterQueue(1, "g", {"lease_ms": "long"}), "bad_request"),
        (m.AlterQueue(1, "g", {"colour": "red"}), "bad_request"),
        (m.Explain(1, "none"), "unknown_group"),
        (m.ListDead(1, "none", 0), "unknown_group"),
        (m.Redrive(1, "g", 0), "bad_request"),
        (m.Discard(1, "g", 0), "bad_request"),
        (m.DescribeQueue(2, "g", 0), "stale_metadata"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    client: QueueClient, message: m.Message, name: str
) -> None:
    topic = await client.topic("t")
    await client.consume(topic)
    topic_id = topic.topic_id if message[0] == 1 else topic.topic_id ^ 1
    with pytest.raises(Refused) as refused:
        await client.ask(message._replace(topic_id=topic_id), m.Done)
    assert refused.value.name == name


async def test_a_stream_group_is_no_queue(client: QueueClient) -> None:
    topic = await client.topic("t")
    await client.subscribe(topic, group="s", subscription=3)
    for again in (
        client.consume(topic, "s"),
        client.ask(m.DescribeQueue(topic.topic_id, "s", 0), m.Queue),
    ):
        with pytest.raises(Refused) as refused:
            await again
        assert refused.value.name == "bad_request"


async def test_groups_of_both_kinds_are_looked_after_alike(client: QueueClient) -> None:
    topic = await client.topic("t")
    await client.publish(topic, b"a", b"b")
    await client.consume(topic)
    lease = (await client.leases(2))[0]
    group = await client.ask(m.DescribeGroup(topic.topic_id, "g", 0), m.Group)
    assert (group.kind, group.cursor, group.lag, group.members) == ("queue", 0, 2, 1)
    await client.ask(m.Seek(topic.topic_id, "g", 0, "latest"), m.Done)
    lost, payload = await client.push_of(m.LeaseLost)
    assert (lost.reason, len(payload)) == ("sought", 20)
    assert await client.settle("ack", lease.tokens()) == lease.tokens()
    await client.ask(m.Seek(topic.topic_id, "g", 0, "offset", 1), m.Done)
    assert (await client.leased()).offsets == [1]
    await client.ask(m.Unsubscribe(1), m.Done)
    await client.ask(m.DeleteGroup(topic.topic_id, "g"), m.Done)
    assert (await client.ask(m.ListGroups(topic.topic_id), m.Names)).names == []


async def test_who_describes_on_while_reads_hang_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, run = threading.Event(), ReadPlan.run

    def run_later(plan: ReadPlan, wait: bool) -> Chunk | None:
        gate.wait()
        return run(plan, wait)

    monkeypatch.setattr(engine, "Unanswered", partial(Unanswered, most=10 * LARGE))
    async with running_server() as server:
        client, other = [await QueueClient.connect(server.port) for _ in range(2)]
        topic = await client.topic("t")
        await client.publish(topic, b"x")
        await client.consume(topic, "g" * 200, credit_records=0)
        monkeypatch.setattr(ReadPlan, "run", run_later)
        wish = m.DescribeQueue(topic.topic_id, "g" * 200, 0)
        sent, seen = [client.send(wish) for _ in range(6000)], -1
        while seen != (seen := len(server._engine._tasks)):
            for _ in range(50):
                await other.ask(m.Ping(), m.Pong)
        gate.set()
        for correlation in sent:
            await client.answer(correlation, m.Queue)
    assert 10 <= seen < 4000  # so many come with what has been read by then


@pytest.mark.parametrize(
    ("number", "name"), [(errno.EMFILE, "overloaded"), (errno.EIO, "storage_failed")]
)
async def test_who_describes_while_no_file_can_be_opened_may_try_again(
    client: QueueClient, number: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(plan: ReadPlan, wait: bool) -> Chunk | None:
        raise OSError(number, "it cannot be opened")

    topic = await client.topic("t")
    await client.publish(topic, b"x")
    await client.consume(topic, credit_records=0)
    monkeypatch.setattr(ReadPlan, "run", fail)
    with pytest.raises(Refused) as refused:
        await described(client, topic)
    assert refused.value.name == name
