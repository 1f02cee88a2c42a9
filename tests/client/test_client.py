import asyncio
import subprocess
import sys
from typing import Any

import pytest

import tapemq
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.sdk import client_of

pytestmark = pytest.mark.both_loops


async def test_leaving_the_block_disconnects() -> None:
    async with FakeBroker() as broker:
        async with await client_of(broker) as client:
            await client.topics()
        await broker.received(m.Bye)
        with pytest.raises(tapemq.Closed):
            await client.topics()
        await client.close()


async def test_errors_of_what_is_closed_do_not_grow() -> None:
    """Each frame that they kept would keep a record."""
    async with FakeBroker() as broker:
        client = await client_of(broker)
        async with (
            client.producer("t") as producer,
            client.stream("t") as stream,
            client.queue("t", group="q") as queue,
        ):
            await client.close()
            for call in (
                lambda: producer.send(b"0"),
                lambda: anext(aiter(stream)),
                lambda: anext(aiter(queue)),
                lambda: stream.seek(0),
            ):
                for _ in range(20):
                    with pytest.raises(tapemq.Closed) as caught:
                        await call()
                assert len(caught.traceback) < 10


async def test_close_does_not_wait_for_ever() -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        broker.react(m.Publish, Reaction.IGNORE)
        publishing = asyncio.ensure_future(client.publish("t", b"0"))
        await broker.received(m.Publish)
        await client.close(timeout=0.05)
        with pytest.raises(tapemq.IndeterminateError):
            await publishing


async def test_another_event_loop_is_told_so_and_harms_nobody() -> None:
    """Its calls waited for ever, or cut the connection of all others."""

    async def use(client: tapemq.Client) -> list[type]:
        calls = (
            client.publish("t", b"0"),
            client.publish("t", b"0", delay=60.0),
            client.topics(),
            client.producer("t").__aenter__(),
            client.stream("t").__aenter__(),
            client.queue("t", group="g").__aenter__(),
            client.close(timeout=0.05),
        )
        errors = await asyncio.gather(*calls, return_exceptions=True)
        return [type(error) for error in errors if "another event loop" in str(error)]

    async with FakeBroker() as broker, await client_of(broker, timeout=0.05) as client:
        raised = await asyncio.to_thread(lambda: asyncio.run(use(client)))
        assert raised == [RuntimeError] * 7
        assert (await client.publish("t", b"1", timeout=10.0)).offset == 0


async def test_timeout_is_the_client_s_unless_said_otherwise() -> None:
    async with FakeBroker() as broker, await client_of(broker, timeout=0.05) as client:
        broker.react(m.ListTopics, Reaction.IGNORE)
        with pytest.raises(tapemq.TimeoutError, match=r"0\.05 s"):
            await client.topics()
        broker.react(m.Publish, Reaction.IGNORE)
        unanswered = tapemq.IndeterminateError, tapemq.TimeoutError  # as far as it comes in time
        with pytest.raises(unanswered, match=r"0\.05 s"):
            await client.publish("t", b"0")


async def test_closing_ends_streams() -> None:
    async with FakeBroker() as broker:
        client = await client_of(broker)
        async with client.stream("t") as stream:
            reading = asyncio.ensure_future(anext(aiter(stream)))
            await broker.received(m.Subscribe)
            await client.close()
            with pytest.raises(tapemq.Closed, match="client"):
                await reading


@pytest.mark.parametrize(
    "options",
    [
        {"batch_bytes": 1023},
        {"batch_bytes": 1024 * 1024 + 1},
        {"max_in_flight": 0},
        {"max_in_flight": 33},
        {"linger": -1.0},
        {"timeout": 0.0},
        {"compression": "rar"},
        {"durability": "maybe"},
        {"topic": "no such name"},
    ],
    ids=str,
)
async def test_producer_checks_its_arguments(options: dict[str, Any]) -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        with pytest.raises(ValueError, match=next(iter(options))):
            client.producer(**{"topic": "t"} | options)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"prefetch_records": 0}, "prefetch_records"),
        ({"prefetch_bytes": 0}, "prefetch_bytes"),
        ({"commit_interval": 0.0}, "commit_interval"),
        ({"partitions": []}, "partitions"),
        ({"partitions": list(range(65))}, "partitions"),
        ({"start": "first"}, "start"),
        ({"topic": "no such name"}, "topic"),
        ({"group": "no such name"}, "group"),
    ],
    ids=str,
)
async def test_stream_checks_its_arguments(options: dict[str, Any], reason: str) -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        with pytest.raises(ValueError, match=reason):
            client.stream(**{"topic": "t"} | options)


@pytest.mark.parametrize("compression", [None, "zlib", "zstd"])
async def test_compressed_records_are_read_as_they_were(
    compression: tapemq.Compression | None,
) -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        async with client.producer("t", compression=compression) as producer:
            await producer.send(b"x" * 5000)
        async with client.stream("t", start="earliest") as stream:
            async for record in stream:
                assert record.value == b"x" * 5000
                break


async def test_batches_respect_the_broker_s_limit() -> None:
    async with FakeBroker() as broker:
        broker.welcome = broker.welcome._replace(batch_bytes_max=3000, record_bytes_max=2000)
        async with await client_of(broker) as client:
            async with client.producer("t") as producer:
                for _ in range(100):
                    await producer.send(b"x" * 100)
            await asyncio.gather(*(client.publish("t", b"x" * 100) for _ in range(100)))
        batches = broker.topics["t"].partitions[0].batches
        assert sum(batch.count for batch in batches) == 200
        assert max(len(batch.data) for batch in batches) <= 3000 + 88


def test_import_needs_nothing_but_its_dependencies() -> None:
    script = (
        "import sys\n"
        "sys.modules['zlib_ng'] = None\n"  # it is of the extra `fast`, which may be missing
        "sys.modules['typing_extensions'] = None\n"  # msgspec takes it if it is there
        "import tapemq\n"
        "own = {name.split('.')[0] for name, module in sys.modules.items() if module}\n"
        "print(*sorted(own - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    foreign = {name for name in done.stdout.split() if "cython" not in name}  # of msgpack
    assert foreign == {"__main__", "msgpack", "msgspec", "tapemq"}
