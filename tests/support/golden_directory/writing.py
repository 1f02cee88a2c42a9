"""Writes a data directory with something of everything that a version of the format can hold."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import tapemq
from tapemq.testing import Broker
from tests.support.golden_directory.contents import SETTINGS, contents_of

FAR: Final = datetime(2099, 1, 1, tzinfo=UTC)
CENTURY: Final = timedelta(days=36_525)
TORN: Final = b"TMQB and then the power failed"
TORN_LOG: Final = "packed"


async def write_clean(directory: Path) -> dict[str, object]:
    """A directory as a clean stop leaves it. Returns what is in it."""
    async with Broker(directory, **SETTINGS) as broker, await broker.connect() as client:
        await _publish(client)
        await _read(client)
        await _work(client)
        await _schedule(client)
        return await contents_of(client)


async def write_crashed(directory: Path) -> dict[str, object]:
    """Go on with a directory, and leave it as a killed process does, with half a batch written.
    Returns what is in it."""
    broker = Broker(directory, **SETTINGS)
    await broker.start()
    async with await broker.connect() as client:
        for number in range(20):
            await client.publish("packed", b"after the clean stop %d" % number, key="late")
        contents = await contents_of(client)
    broker._puppet.die()
    broker._world.disk.close()
    await broker._puppet.let_go()
    await broker._relay.close()
    (newest,) = sorted((directory / "topics" / "default").glob(f"{TORN_LOG}~*/0/*.log"))[-1:]
    with newest.open("ab") as file:
        file.write(TORN)
    return contents


async def _publish(client: tapemq.Client) -> None:
    await client.create_topic("orders", 2, retention_bytes=1 << 40)
    await client.create_topic("jobs", 1, priorities=3)
    await client.create_topic("packed")
    for number in range(120):
        await client.publish(
            "orders",
            None if number % 11 == 3 else b"" if number % 11 == 5 else b"order %d" % number,
            key=f"customer {number % 7}" if number % 3 else None,
            headers={"n": number, "s": "ä", "b": b"\x00\xff", "t": True} if number % 4 else None,
            ttl=CENTURY if number % 13 == 1 else None,
        )
    for number in range(30):
        await client.publish("jobs", b"job %d" % number, priority=number % 3)
    for compression in ("zlib", "zstd", None):
        async with client.producer("packed", compression=compression, linger=60.0) as producer:
            for number in range(60):
                await producer.send(b"the same again and again " * 2, key=str(number))


async def _read(client: tapemq.Client) -> None:
    async with client.stream("orders", group="audit", start="earliest", hold=True) as stream:
        for _ in range(50):
            await anext(aiter(stream))
        await stream.commit()
    async with client.stream("packed", group="latest", start="latest"):
        pass


async def _work(client: tapemq.Client) -> None:
    """Of 120 orders some are acked, out of order, some dead, and some have failed once."""
    settings = tapemq.QueueSettings(max_attempts=2, retry=[0.0], max_age=None)
    async with client.queue("orders", group="billing", prefetch=100, **settings) as queue:
        taken = 0
        async for message in queue:
            taken += 1
            if message.offset % 10 == 4:
                await message.reject(reason="no such customer", confirm=True)
            elif message.offset % 10 == 7:
                await message.nack(reason="busy", delay=0.0, confirm=True)
            elif message.offset % 2:
                await message.ack(confirm=True)
            if taken == 90:
                break
    await client.redrive("orders", "billing", partition=0, offsets=[4])
    async with client.queue("jobs", group="workers", key_lanes=True, paused=True):
        pass


async def _schedule(client: tapemq.Client) -> None:
    await client.publish("orders", b"later", key="k", headers={"h": 1}, at=FAR)
    await client.publish("packed", b"first", at=FAR, schedule_key="named")
    await client.publish("packed", b"second", at=FAR, schedule_key="named")
    await client.schedule(
        "packed", b"cron", cron="30 6 1 1 *", time_zone="Europe/Berlin", start=FAR
    )
    await client.schedule("packed", b"every", every=timedelta(days=300), start=FAR, catch_up="all")
    receipt = await client.publish("packed", b"cancelled", at=FAR)
    await client.schedules("packed").cancel(receipt.schedule_id)
