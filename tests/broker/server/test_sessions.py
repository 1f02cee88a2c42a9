"""All connections: limits, and an end without anybody left."""

import asyncio
from functools import partial

import pytest

from tapemq.wire import messages as m
from tapemq.wire.errors import PROTOCOL_ERROR
from tapemq_broker.server import engine
from tapemq_broker.server.unanswered import Unanswered
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import running_server
from tests.support.stuck_disk import StuckDisk


async def test_one_connection_too_many_hears_it() -> None:
    async with running_server(connections_max=1) as server:
        first = await RawClient.connect(server.port)
        second = RawClient(*await asyncio.open_connection("127.0.0.1", server.port))
        failure, _ = await second.push(m.Failure)
        assert failure.code == 6
        assert await second.at_end()
        await first.ask(m.Ping(), m.Pong)
        totals = server.status().totals
        assert (totals["connections_opened"], totals["connections_closed"]) == (2, 1)


@pytest.mark.parametrize("second", [m.Publish(0, 0, 0), m.DescribeTopic("t")])
async def test_a_request_with_the_number_of_an_open_publish_ends_the_connection(
    second: m.Message,
) -> None:
    """Its answer would be taken for that of the publish: bytes would count for ever, or not at
    all, and memory be short for others, or have no bound."""
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        disk.stuck = True  # else the publish may be answered before the other comes
        correlation = client.send_publish(topic, b"a")
        client.send(second, correlation=correlation)
        failure, _ = await client.push_of(m.Failure)
        assert failure.code == PROTOCOL_ERROR.code
        assert await client.at_end()
        disk.release()
        other = await RawClient.connect(server.port)
        assert (await other.publish(topic, b"b")).base_offset == 1
        assert server.status().publishing_bytes == 0


async def test_a_ping_may_carry_the_number_of_an_open_publish() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        disk.stuck = True
        correlation = client.send_publish(topic, b"a")
        client.send(m.Ping(), correlation=correlation)
        await client.answer(correlation, m.Pong)
        disk.release()
        assert (await client.publish(topic, b"b")).base_offset == 1


async def test_clients_that_come_ask_and_go_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "Unanswered", partial(Unanswered, in_all_max=10))
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        disk.stuck = True
        for _ in range(3):
            guest = await RawClient.connect(server.port)
            for _ in range(10):
                guest.send_publish(topic, b"x")
            await guest.ask(m.Ping(), m.Pong)
            guest.send(m.Bye())
            assert await guest.at_end()
        with pytest.raises(Refused) as refused:
            await client.publish(topic, b"y")
        assert refused.value.name == "overloaded"
        disk.release()
        while server.status().publishing_bytes or server._engine.unanswered.is_overrun(1):
            await client.ask(m.Ping(), m.Pong)
        await client.publish(topic, b"y")


async def test_members_hand_over_while_too_many_requests_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That waits for no disk; the others would else wait until the partition is taken away."""
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        first, second, third = [await RawClient.connect(server.port) for _ in range(3)]
        topic = await first.topic("t", partitions=2)
        for client in (first, second):
            await client.subscribe(topic, group="g")
        revoke, _ = await first.push_of(m.Revoke)
        monkeypatch.setattr(server._engine.unanswered, "_in_all_max", 1)
        disk.stuck = True
        third.send_publish(topic, b"x")
        await third.ask(m.Ping(), m.Pong)
        release = first.send(m.Release(1, revoke.partition, revoke.generation))
        refused = first.send(m.DescribeTopic("t"))
        await first.ask(m.Ping(), m.Pong)
        disk.release()
        await first.answer(release, m.Done)
        assigned, _ = await second.push_of(m.Assigned)
        assert assigned.partition == revoke.partition
        with pytest.raises(Refused, match="too many requests wait"):
            await first.answer(refused, m.Topic)


async def test_a_stop_says_goodbye_to_everybody() -> None:
    async with running_server() as server:
        clients = [await RawClient.connect(server.port) for _ in range(3)]
        await server.stop(grace_s=5.0)
        for client in clients:
            failure, _ = await client.push_of(m.Failure)
            assert failure.code == 5
            assert await client.at_end()


async def test_a_stopping_broker_refuses_what_is_new_and_finishes_what_is_not() -> None:
    disk = StuckDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        disk.stuck = True
        accepted = client.send_publish(topic, b"x")
        await client.ask(m.BrokerStatus(), m.Status)  # the publish was read before this
        stop = asyncio.create_task(server.stop(grace_s=5.0))
        await asyncio.sleep(0)  # the stop begins
        with pytest.raises(Refused) as refused:
            await client.topic("more")
        assert refused.value.name == "overloaded"
        disk.release()
        assert (await client.answer(accepted, m.Receipt)).base_offset == 0
        await stop
