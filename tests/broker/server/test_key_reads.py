"""Keys are read for the groups that keep their order."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tapemq.batch import Codec, Columns, checksum, encode_body
from tapemq.wire import messages as m
from tapemq_broker.core.effects import Effects, ReadKeys
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.disk_reads import DiskReads
from tapemq_broker.server.key_reads import KeyReads, Keys
from tapemq_broker.storage.errors import CorruptLog, OffsetOutOfRange
from tapemq_broker.storage.record_log import Chunk
from tests.support.chunks import LOG, chunk, keyed
from tests.support.queue_client import QueueClient
from tests.support.running_server import running_server


class Rig:
    """A log that brings what the test says, and a core that notes what is reported."""

    def __init__(self, outcome: Chunk | Exception) -> None:
        self.outcome = outcome
        self.reported: list[Keys | str] = []
        self.task: asyncio.Task[None] | None = None
        self.durable_offset = 100
        self.counters = Counters()
        logs: Any = SimpleNamespace(data=lambda log_id: self)
        queues: Any = self
        retries: Any = self
        ways = (self.ran, self.spawn, retries)
        self.reads = KeyReads(queues, logs, self.counters, DiskReads(4), *ways)

    def plan(self, offset: int, *, upto: int, max_bytes: int) -> "Rig":
        return self

    def run(self, wait: bool) -> Chunk:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def ran(self, effects: Effects) -> None:
        assert effects == []

    def spawn(self, work: Any) -> None:
        self.task = asyncio.get_running_loop().create_task(work)

    def keys_read(self, log: Any, group: str, first: int, keys: Keys) -> Effects:
        assert (log, group, first) == (LOG, "g", 3)
        self.reported.append(keys)
        return []

    def keys_unread(self, log: Any, group: str, first: int, reason: str) -> Effects:
        assert (log, group, first) == (LOG, "g", 3)
        self.reported.append(reason)
        return []

    def takes(self, error: Exception, again: Any) -> bool:
        """As ReadRetries do: of this error, it passes."""
        if not isinstance(error, BlockingIOError):
            return False
        self.outcome = chunk(keyed(3, b"a"), next_offset=4)
        again()
        return True

    async def keys(self, upto: int) -> Keys | str:
        self.reads.start(ReadKeys(LOG, "g", 3, upto))
        assert self.task is not None
        while not self.reported:
            await self.task
        [keys] = self.reported
        return keys


async def test_there_is_a_key_for_each_offset() -> None:
    batches = (keyed(0, b"a", b"b", None, b"d"), keyed(6, b"g", b"h"))
    rig = Rig(chunk(*batches, next_offset=10))
    assert await rig.keys(20) == [b"d", None, None, b"g", b"h", None, None]


async def test_no_more_keys_are_reported_than_were_asked_for() -> None:
    rig = Rig(chunk(keyed(0, *(b"%d" % number for number in range(9))), next_offset=9))
    assert await rig.keys(5) == [b"3", b"4"]


@pytest.mark.parametrize(
    ("error", "keys"),
    [
        (OffsetOutOfRange(3, 5, 100), [None, None]),
        (OffsetOutOfRange(3, 50, 100), [None] * 4),
    ],
)
async def test_what_is_gone_has_no_key(error: Exception, keys: Keys) -> None:
    assert await Rig(error).keys(7) == keys


@pytest.mark.parametrize(
    "error",
    [CorruptLog("a segment", 7, 3, 9, "it is damaged"), OSError(5, "the disk is broken")],
)
async def test_what_cannot_be_read_is_not_taken_for_records_without_keys(error: Exception) -> None:
    """They would overtake others, if the next read finds them sound."""
    rig = Rig(error)
    assert await rig.keys(7) == str(error)
    assert rig.counters.corrupt_reads == 1


async def test_what_fails_for_a_reason_that_passes_is_read_again() -> None:
    rig = Rig(BlockingIOError("for a moment"))
    assert await rig.keys(4) == [b"a"]
    assert rig.counters.corrupt_reads == 0


async def test_a_topic_that_is_gone_needs_no_keys() -> None:
    rig = Rig(KeyError(LOG))
    rig.reads.start(ReadKeys(LOG, "g", 3, 9))
    assert rig.task is not None
    await rig.task
    assert rig.reported == []


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.ZLIB])
async def test_one_record_of_a_key_is_in_flight(codec: Codec) -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        keys = [b"x", b"x", b"y", None, None]
        body = encode_body(Columns([b"%d" % n for n in range(5)], keys), codec=codec)
        await client.consume(topic, settings={"key_lanes": True})
        await client.ask(m.Publish(topic.topic_id, 0, checksum(body)), m.Receipt, body)
        leases = await client.leases(4)
        assert sorted(offset for lease in leases for offset in lease.offsets) == [0, 2, 3, 4]
        tokens = [token for lease in leases for token in lease.tokens(*lease.offsets)]
        await client.settle("ack", [token for token in tokens if token[1] == 0])
        assert (await client.leased()).offsets == [1]


async def test_keys_of_what_was_there_before_are_read() -> None:
    async with running_server() as server:
        client = await QueueClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a", b"b")
        await client.consume(topic, settings={"key_lanes": True})
        assert len((await client.leases(2))[0].records) == 2
