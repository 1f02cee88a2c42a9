"""A consumer that takes messages and holds them, until it is told to ack them.

``python -m tests.support.crash.queue.holder URL TOPIC GROUP COUNT``. Prints ``took COUNT``; when a
line comes, acks all and prints ``acked NUMBER, not NUMBER``.
"""

import asyncio
import sys

import tapemq

_TURN_S = 0.05
"""By then the broker knows that work on the messages has begun."""


async def hold(url: str, topic: str, group: str, count: int) -> None:
    """The life of the consumer."""
    async with (
        await tapemq.connect(url) as client,
        client.queue(topic, group=group, prefetch=count) as queue,
    ):
        messages = []
        async for message in queue:
            messages.append(message)
            if len(messages) == count:
                break
        await asyncio.sleep(_TURN_S)
        print(f"took {count}", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        answers = [await _ack(message) for message in messages]
        print(f"acked {sum(answers)}, not {len(answers) - sum(answers)}", flush=True)


async def _ack(message: tapemq.Message) -> bool:
    try:
        await message.ack(confirm=True)
    except (tapemq.LeaseLost, tapemq.IndeterminateError):  # the latter on a dead connection
        return False
    return True


if __name__ == "__main__":
    url_, topic_, group_, count_ = sys.argv[1:]
    asyncio.run(hold(url_, topic_, group_, int(count_)))
