"""A worker: python worker.py URL. Prints the row, the attempt and how it went, for each message."""

import asyncio
import signal
import sys

import late
from publisher import ROW

import tapemq


class BankDoesNotAnswer(Exception):
    """An attempt fails; the broker delivers the message again, later."""


async def compensate(message: tapemq.Message) -> None:
    """Handle one late flight. Returning acks it, an exception lets it come again."""
    row = int(message.headers[ROW])
    await asyncio.sleep(0)  # where the work would be
    if late.fails(row, message.attempt):
        print(row, message.attempt, "failed", flush=True)
        raise BankDoesNotAnswer(f"row {row}")
    print(row, message.attempt, "handled", flush=True)


async def work(url: str) -> None:
    """Work until SIGTERM; what is at hand is finished."""
    retry = tapemq.Backoff(first=0.2, cap=2)
    async with (
        await tapemq.connect(url) as client,
        client.queue(late.TOPIC, group=late.GROUP, retry=retry) as queue,
    ):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queue.stop)
        await queue.run(compensate, concurrency=late.AT_A_TIME)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
