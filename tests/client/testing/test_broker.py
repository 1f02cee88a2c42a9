import asyncio
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path

import pytest

import tapemq
from tapemq.sync import connect
from tapemq.testing import Broker, BrokerDied
from tapemq.testing.broker import _fatal
from tapemq_broker.storage.errors import DataDirectoryError


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with Broker() as broker:
        yield broker


@pytest.fixture
async def client(broker: Broker) -> AsyncIterator[tapemq.Client]:
    async with await broker.connect() as client:
        yield client


async def read(client: tapemq.Client, count: int) -> list[bytes | None]:
    values: list[bytes | None] = []
    async with client.stream("t", start="earliest") as stream:
        async for record in stream:
            values.append(record.value)
            if len(values) == count:
                break
    return values


async def test_restart_keeps_everything_and_the_address(
    broker: Broker, client: tapemq.Client
) -> None:
    url = broker.url
    await client.publish("t", b"0")
    await broker.restart()
    assert broker.url == url
    assert (await client.publish("t", b"1")).offset == 1
    assert await read(client, 2) == [b"0", b"1"]


@pytest.mark.parametrize("is_in_memory", [True, False])
async def test_crash_keeps_what_was_acked(tmp_path: Path, is_in_memory: bool) -> None:
    made = Broker(None if is_in_memory else tmp_path / "data")
    async with made as broker, await broker.connect() as client:
        await client.publish("t", b"0")
        await broker.crash()
        assert (await client.publish("t", b"1")).offset == 1
        assert await read(client, 2) == [b"0", b"1"]


async def test_crashes_leave_no_index_of_schedules_open(tmp_path: Path) -> None:
    def open_files() -> list[Path]:
        links = list(Path("/proc/self/fd").iterdir())
        return [link for link in links if link.exists() and link.samefile(index)]

    index = tmp_path / "schedules.index"
    async with Broker(tmp_path) as broker, await broker.connect() as client:
        await client.publish("t", b"0", delay=3600)
        for _ in range(3):
            await broker.crash()
            assert await client.schedules("t").count() == 1
        # SQLite closes what the start has looked at the file with when it closes the file itself.
        assert len(open_files()) <= 2
    assert not open_files()


async def test_crash_of_a_broker_that_is_down_starts_it(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, await broker.connect() as client:
        await client.publish("t", b"0")
        await broker.stop()
        await broker.crash()
        assert await read(client, 1) == [b"0"]


async def test_directory_outlives_the_broker(tmp_path: Path) -> None:
    for number in range(2):
        async with Broker(tmp_path / "data") as broker, await broker.connect() as client:
            assert (await client.publish("t", b"%d" % number)).offset == number


async def test_record_that_was_not_synced_is_lost_and_sent_again(
    broker: Broker, client: tapemq.Client
) -> None:
    await client.publish("t", b"0")
    back = broker.crash_before_sync()
    receipt = await client.publish("t", b"1")
    assert back.done()
    assert (receipt.offset, receipt.duplicate) == (1, False)
    assert await read(client, 2) == [b"0", b"1"]


async def test_crash_that_did_not_come_keeps_nobody() -> None:
    async with Broker() as broker, await broker.connect() as client:
        await client.publish("t", b"0")
        back = broker.crash_before_sync()
        assert broker.crash_before_sync() is back
    assert not back.done()


async def test_broker_that_was_stopped_is_left_as_it_is() -> None:
    async with Broker() as broker:
        await broker.stop()
        await broker.stop()
        await broker.crash()
        await broker.stop()


async def test_start_that_failed_is_the_error_that_is_seen(tmp_path: Path) -> None:
    async def start_beside_another() -> None:
        async with Broker(tmp_path) as broker:
            await broker.stop()
            async with Broker(tmp_path):
                await broker.start()

    with pytest.raises(DataDirectoryError):
        await start_beside_another()


async def test_broker_that_cannot_start_leaves_nothing_open(tmp_path: Path) -> None:
    async with Broker(tmp_path):
        other = Broker(tmp_path)
        with pytest.raises(DataDirectoryError):
            await other.__aenter__()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", other._relay.port)


async def test_nothing_unsynced_is_lost_on_a_directory(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker:
        with pytest.raises(ValueError, match="in memory"):
            broker.crash_before_sync()


async def test_lost_receipt_does_not_duplicate(broker: Broker, client: tapemq.Client) -> None:
    await client.publish("t", b"0")
    broker.lose_receipt()
    receipt = await client.publish("t", b"1")
    assert (receipt.offset, receipt.duplicate) == (1, True)


async def test_lost_ack_delivers_twice(broker: Broker, client: tapemq.Client) -> None:
    await client.publish("t", b"0")
    async with client.queue("t", group="g") as queue:
        messages = aiter(queue)
        first = await anext(messages)
        broker.lose_ack()
        with pytest.raises(tapemq.Error):
            await first.ack(confirm=True)
        again = await anext(messages)
        assert (again.offset, again.value) == (0, b"0")
        await again.ack(confirm=True)


async def test_lost_commit_is_made_again(broker: Broker, client: tapemq.Client) -> None:
    await client.publish("t", b"0")
    async with client.stream("t", group="g", start="earliest") as stream:
        await anext(aiter(stream))
        broker.lose_commit()
        await stream.commit()
    assert (await client.group("t", "g")).lag == 0


async def test_cut_connections_are_made_anew(broker: Broker, client: tapemq.Client) -> None:
    await client.publish("t", b"0")
    broker.cut_connections()
    assert (await client.publish("t", b"1")).offset == 1


async def test_settings_are_the_broker_s() -> None:
    async with Broker(auto_create_topics=False) as broker, await broker.connect() as client:
        with pytest.raises(tapemq.TopicNotFound):
            await client.publish("t", b"0")


async def test_client_without_asyncio_reaches_it_from_a_thread(broker: Broker) -> None:
    def work() -> list[bytes | None]:
        with connect(broker.url) as client:
            client.publish("t", b"0")
            with client.stream("t", start="earliest") as stream:
                return [record.value for record in islice(stream, 1)]

    assert await asyncio.to_thread(work) == [b"0"]


def test_end_of_the_process_is_an_error_here() -> None:
    with pytest.raises(BrokerDied, match="disk failed"):
        _fatal("disk failed")


async def test_a_broker_that_runs_is_not_started_again(
    broker: Broker, client: tapemq.Client
) -> None:
    """A second start took the place of the first one, which was never stopped."""
    with pytest.raises(RuntimeError, match="runs already"):
        await broker.start()
    with pytest.raises(RuntimeError, match="runs already"):
        async with broker:
            pass
    assert (await client.publish("t", b"0")).offset == 0


async def test_it_can_be_entered_again() -> None:
    broker = Broker()
    async with broker, await broker.connect() as client:
        await client.publish("t", b"0")
    async with broker, await broker.connect() as client:
        assert await read(client, 1) == [b"0"]


async def test_a_stop_is_where_a_crash_may_come(broker: Broker, client: tapemq.Client) -> None:
    await client.publish("t", b"0")
    crashed = broker.crash_before_sync()
    await broker.restart()
    assert crashed.done()
    assert (await client.publish("t", b"1")).offset == 1


async def test_a_crash_of_its_own_is_the_one_that_was_to_come(
    broker: Broker, client: tapemq.Client
) -> None:
    await client.publish("t", b"0")
    crashed = broker.crash_before_sync()
    await broker.crash()
    assert crashed.done()
    assert (await client.publish("t", b"1")).offset == 1


async def test_what_needs_a_broker_says_so_before_there_is_one() -> None:
    for call in (Broker().crash, Broker().clock.advance):
        with pytest.raises(RuntimeError, match="was not started"):
            await call()
