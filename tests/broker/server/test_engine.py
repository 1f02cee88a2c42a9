"""Carrying effects out, in order, and together where the disk allows it."""

import asyncio

from tapemq.wire import messages as m
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server


async def test_durable_receipts_leave_in_the_order_of_publishes() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        rounds_before = server.status().sync_rounds
        sent = [client.send_publish(topic, b"%d" % number) for number in range(50)]
        receipts = [await client.answer(correlation, m.Receipt) for correlation in sent]
        assert [receipt.base_offset for receipt in receipts] == list(range(50))
        assert server.status().sync_rounds - rounds_before < 50


async def test_topics_made_at_once_are_all_made() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        names = [f"t{number}" for number in range(20)]
        topics = await asyncio.gather(*(made(server.port, name) for name in names))
        assert len({topic.topic_id for topic in topics}) == len(names)
        listed = await client.ask(m.ListTopics(), m.Names)
        assert listed.names == sorted(names)


async def made(port: int, name: str) -> m.Topic:
    return await (await RawClient.connect(port)).topic(name)
