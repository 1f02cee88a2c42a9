"""The measurements: publishing, reading, and both at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import tapemq
from tapemq_broker.cli.bench.latencies import Latencies
from tapemq_broker.cli.bench.load import Load, stamp
from tapemq_broker.cli.bench.pace import due_times
from tapemq_broker.cli.bench.result import Result
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.server.clock import Clock

Advance = Callable[[int], None]

_STEP_RECORDS = 1000


@asynccontextmanager
async def _together() -> AsyncIterator[asyncio.TaskGroup]:
    """Tasks that end together. Raises what one of them raised, not a group that nobody expects."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


class Runs:
    """Measurements on one topic. `advance` is told of records as they are done."""

    def __init__(self, client: tapemq.Client, topic: str, clock: Clock, advance: Advance) -> None:
        self._client = client
        self._topic = topic
        self._clock = clock
        self._advance = advance

    async def publish(self, load: Load) -> Result:
        """Publish through a producer; at a rate one by one, with the time to each receipt."""
        begin = self._clock.monotonic()
        latencies = None
        if load.rate is None:
            await self._send(load, self._advance)
        else:
            latencies = await self._publish_each(load, load.rate)
        seconds = self._clock.monotonic() - begin
        return Result("pub", load.records, load.size_bytes, seconds, latencies)

    async def _send(self, load: Load, advance: Advance) -> None:
        async with self._client.producer(self._topic) as producer:
            for number in range(load.records):
                await producer.send(load.value(number, 0.0))
                if number % _STEP_RECORDS == _STEP_RECORDS - 1:
                    advance(_STEP_RECORDS)
        advance(load.records % _STEP_RECORDS)

    async def _publish_each(self, load: Load, rate: float) -> Latencies:
        latencies = Latencies()

        async def publish(number: int, due: float) -> None:
            await self._client.publish(self._topic, load.value(number, due))
            latencies.add(self._clock.monotonic() - due)
            self._advance(1)

        async with _together() as tasks:
            number = 0
            async for due in due_times(self._clock, load.records, rate):
                tasks.create_task(publish(number, due))
                number += 1
        return latencies

    async def read(self, load: Load) -> Result:
        """Read the first records of the topic, and check their order."""
        begin = self._clock.monotonic()
        await self._receive(load.records, "earliest", None)
        return Result("sub", load.records, load.size_bytes, self._clock.monotonic() - begin)

    async def pair(self, load: Load) -> Result:
        """Publish and read at a time; at a rate, with the time from being due to being read."""
        begin = self._clock.monotonic()
        latencies = None if load.rate is None else Latencies()
        async with _together() as tasks:
            tasks.create_task(self._receive(load.records, "earliest", latencies))
            if load.rate is None:
                tasks.create_task(self._send(load, lambda count: None))
            else:
                tasks.create_task(self._send_at(load, load.rate))
        seconds = self._clock.monotonic() - begin
        return Result("pair", load.records, load.size_bytes, seconds, latencies)

    async def _send_at(self, load: Load, rate: float) -> None:
        async with self._client.producer(self._topic) as producer:
            number = 0
            async for due in due_times(self._clock, load.records, rate):
                await producer.send(load.value(number, due))
                number += 1

    async def _receive(self, count: int, start: tapemq.Start, latencies: Latencies | None) -> None:
        expected = 0
        async with self._client.stream(self._topic, start=start) as stream:
            async for record in stream:
                number, sent_at = stamp(record.value or b"")
                if number != expected:
                    raise CommandError(f"read record {number} where {expected} was to come")
                if latencies is not None:
                    latencies.add(self._clock.monotonic() - sent_at)
                expected += 1
                if expected % _STEP_RECORDS == 0 or expected == count:
                    self._advance(expected % _STEP_RECORDS or _STEP_RECORDS)
                if expected == count:
                    return
