"""What a log says of its producers, after a restart."""

import asyncio

from tapemq.batch import (
    Columns,
    Header,
    Kind,
    LogId,
    Role,
    checksum,
    decode_prefix,
    encode_body,
)
from tapemq_broker.core.producers import Producers
from tapemq_broker.server.observer import ProducersObserver
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server

LOG = LogId(1, 0, Role.DATA)


def batch(kind: Kind, body: bytes, base_offset: int) -> Header:
    return Header(kind, 0, LOG, 0, 1, base_offset, 0, 5_000_000, 0, 0, 0, len(body), checksum(body))


def test_a_retry_after_a_restart_meets_the_same_window() -> None:
    body = encode_body(Columns([b"x"]), producer_id=7)
    observer = ProducersObserver(Producers())
    observer.restore(None)
    observer.observe(batch(Kind.DATA, body, 40), memoryview(body))
    after = Producers()
    ProducersObserver(after).restore(observer.snapshot())
    repeated = after.check(decode_prefix(body))
    assert repeated is not None
    assert repeated.base_offset == 40


def test_marks_have_no_producer() -> None:
    producers = Producers()
    ProducersObserver(producers).observe(batch(Kind.MARK, b"", 0), memoryview(b""))
    assert len(producers) == 0


async def test_the_window_of_a_new_topic_is_kept_when_its_segments_roll() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t", settings={"segment_bytes": 4096})
        for _ in range(3):
            await client.publish(topic, bytes(3000))
        names = disk.list_directory(f"topics/default/t~{topic.topic_id:016x}/0")
        assert [name for name in names if name.endswith(".state")]
