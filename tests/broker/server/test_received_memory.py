from tapemq.wire import messages as m
from tests.support.ahead_clock import AheadClock
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server


async def test_large_frames_that_do_not_come_to_their_end_are_cut_when_memory_is_short() -> None:
    clock = AheadClock()
    async with running_server(clock=clock, publish_memory_bytes=1 << 20) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for _ in range(3):
            hoarder = await RawClient.connect(server.port)
            hoarder.send_part(m.Publish(topic.topic_id, 0, 0), bytes(1 << 20), 500_000)
        while server.status().publishing_bytes < 1_400_000:
            await client.ask(m.Ping(), m.Pong)
        flow, _ = await client.push_of(m.Flow)
        assert (flow.reason, flow.publish_window_bytes) == ("memory", (1 << 20) // 8)
        assert (await client.publish(topic, b"small")).base_offset == 0
        clock.monotonic_ahead_s = server._settings.write_stall_s + 1
        while server.status().connections > 1:
            server._timers.do_what_is_due()
            await client.ask(m.Ping(), m.Pong)
        assert server.status().publishing_bytes == 0
        flow, _ = await client.push_of(m.Flow)
        assert flow == m.Flow(client.welcome.publish_window_bytes)


async def test_a_frame_that_no_memory_is_left_for_is_cut_at_once() -> None:
    async with running_server(publish_memory_bytes=1 << 20) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        hoarders = [await RawClient.connect(server.port) for _ in range(5)]
        for hoarder in hoarders:
            hoarder.send_part(m.Publish(topic.topic_id, 0, 0), bytes(1 << 20), 600_000)
        while server.status().connections > 4:
            await client.ask(m.Ping(), m.Pong)
        assert server.status().publishing_bytes <= 2 << 20
        assert (await client.publish(topic, b"small")).base_offset == 0


async def test_who_is_cut_holds_nothing_from_then_on() -> None:
    """Others that send at that time would be cut as well, and a line of them takes its time."""
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        hoarder = await RawClient.connect(server.port)
        hoarder.send_part(m.Publish(topic.topic_id, 0, 0), bytes(1 << 20), 600_000)
        connection = list(server._sessions.by_number.values())[1]
        while connection.session.reader.buffered_bytes < 600_000:
            await client.ask(m.Ping(), m.Pong)
        connection.abort("a test")
        assert server.status().publishing_bytes == 0
        assert connection.session.reader.large_bytes == 0


async def test_of_a_part_of_a_frame_its_whole_buffer_counts() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        hoarder = await RawClient.connect(server.port)
        hoarder.send_part(m.Publish(topic.topic_id, 0, 0), bytes(1 << 20), 600_000)
        reader = list(server._sessions.by_number.values())[1].session.reader
        while reader.buffered_bytes < 600_000:
            await client.ask(m.Ping(), m.Pong)
        assert server.status().publishing_bytes == reader.large_bytes > reader.buffered_bytes


async def test_parts_of_small_frames_count_together() -> None:
    """Of ten thousand connections each may have that."""
    clock = AheadClock()
    async with running_server(clock=clock, publish_memory_bytes=1 << 20) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for _ in range(40):
            hoarder = await RawClient.connect(server.port)
            hoarder.send_part(m.Publish(topic.topic_id, 0, 0), bytes(64_000), 50_000)
        while server.status().publishing_bytes < 40 * 50_000:
            await client.ask(m.Ping(), m.Pong)
        assert (await client.publish(topic, bytes(20_000))).base_offset == 0
        clock.monotonic_ahead_s = server._settings.write_stall_s + 1
        while server.status().connections > 1:
            server._timers.do_what_is_due()
            await client.ask(m.Ping(), m.Pong)
        assert server.status().publishing_bytes == 0


async def test_room_for_many_small_frames_is_kept_by_few_connections_only() -> None:
    async with running_server(publish_memory_bytes=4 << 20) as server:
        clients = [await RawClient.connect(server.port) for _ in range(20)]
        topic = await clients[0].topic("t")
        for client in clients * 2:
            for _ in range(100):
                client.send_publish(topic, bytes(3_000))
            await client.publish(topic, bytes(3_000))
        readers = [one.session.reader for one in server._sessions.by_number.values()]
        assert 0 < sum(reader.large_bytes for reader in readers) <= 1 << 20
        assert server._sessions.memory.kept_bytes == sum(one.large_bytes for one in readers)


async def test_buffers_of_large_frames_are_kept_by_few_connections_only() -> None:
    """Ten thousand that publish a large batch now and then would keep gigabytes."""
    async with running_server(publish_memory_bytes=4 << 20) as server:
        clients = [await RawClient.connect(server.port) for _ in range(9)]
        topic = await clients[0].topic("t")
        for client in clients * 2:
            await client.publish(topic, bytes(700_000))
        readers = [one.session.reader for one in server._sessions.by_number.values()]
        assert 0 < sum(reader.large_bytes for reader in readers) <= 1 << 20
        assert server._sessions.memory.kept_bytes == sum(one.large_bytes for one in readers)
        for client in clients[1:]:
            client.close()
        while server.status().connections > 1:
            await clients[0].ask(m.Ping(), m.Pong)
        assert server._sessions.memory.kept_bytes == readers[0].large_bytes
        assert server.status().publishing_bytes == 0
