"""The broker as a whole: what a stop and a start keep, and who may have a directory."""

import asyncio

import pytest

from tapemq.batch import Columns, checksum, encode_body
from tapemq.wire import messages as m
from tapemq_broker.config import Settings
from tapemq_broker.server.server import Server
from tapemq_broker.storage.errors import DataDirectoryError
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.raw_client import RawClient
from tests.support.running_server import memory_world, running_server


def new_disk() -> MemoryDisk:
    return MemoryDisk(post=asyncio.get_running_loop().call_soon)


async def test_records_and_the_brokers_id_survive_a_clean_restart() -> None:
    disk = new_disk()
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"a")
        broker_id = client.welcome.broker_id
    assert disk.read_file("CLEAN") is not None
    async with running_server(disk) as server:
        assert disk.read_file("CLEAN") is None
        client = await RawClient.connect(server.port)
        assert client.welcome.broker_id == broker_id
        assert (await client.publish(topic, b"b")).base_offset == 1


async def test_a_directory_in_use_is_refused() -> None:
    disk = new_disk()
    async with running_server(disk):
        second = Server(Settings(), memory_world(disk))
        with pytest.raises(DataDirectoryError, match="another process"):
            await second.start("127.0.0.1", 0)


async def test_a_stop_lets_receipts_leave_and_refuses_the_rest() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        body = encode_body(Columns([b"x"]))
        publish = m.Publish(topic.topic_id, 0, checksum(body))
        sent = client.send(publish, body)
        await client.ask(m.BrokerStatus(), m.Status)  # the publish was read before this
        stop = asyncio.create_task(server.stop(grace_s=5.0))
        assert (await client.answer(sent, m.Receipt)).base_offset == 0
        await stop
        assert await client.at_end()
        assert not server.ready
