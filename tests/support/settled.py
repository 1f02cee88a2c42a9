"""Queue groups with something in them, for the commands that look after them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import tapemq

# What becomes of a record, by its value.
FATES: Mapping[bytes, Callable[[tapemq.Message], Awaitable[None]]] = {
    b"good": lambda message: message.ack(confirm=True),
    b"bad": lambda message: message.reject(reason="bad_data", confirm=True),
    b"wrong": lambda message: message.reject(reason="ValueError", confirm=True),
    b"worse": lambda message: message.reject(reason="unknown", confirm=True),
}


def settle(url: str, topic: str, records: int, group: str = "g") -> None:
    """Take so many messages, and let each end as its value says."""

    async def work() -> None:
        async with (
            await tapemq.connect(url) as client,
            client.queue(topic, group=group, prefetch=records) as queue,
        ):
            left = records
            async for message in queue:
                await FATES[message.value or b""](message)
                left -= 1
                if not left:
                    return

    asyncio.run(work())
