"""Clients that schedule and cancel while their broker is killed, and what must come of it."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import tapemq

TOPIC = "later"
PARTITIONS = 2
_MAKERS = 24
_TIMEOUT_S = 60.0
_DELAYS_S = (0.0, 0.2, 1.0, 2.0)


@dataclass
class Wanted:
    """A record that was to come later. ``fate``: what the client was told of cancelling it."""

    value: bytes
    at: datetime
    receipt: tapemq.ScheduleReceipt | None = None
    was_refused: bool = False
    fate: str = ""


class ScheduleLoad:
    """Makers that each schedule one record at a time, and cancel some."""

    def __init__(self, client: tapemq.Client, random: Random) -> None:
        self.wanted: list[Wanted] = []
        self._client = client
        self._random = random
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._made = asyncio.Condition()
        self._made_count = 0

    def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._make(number)) for number in range(_MAKERS)]

    async def _make(self, number: int) -> None:
        serial = 0
        while not self._stopping:
            delay_s = self._random.choice(_DELAYS_S) * self._random.random()
            wanted = Wanted(
                b"%d-%d" % (number, serial), datetime.now(UTC) + timedelta(seconds=delay_s)
            )
            serial += 1
            self.wanted.append(wanted)
            await self._schedule(wanted)
            async with self._made:
                self._made_count += 1
                self._made.notify_all()
            if wanted.receipt is not None and self._random.random() < 0.25:
                await self._cancel(wanted.receipt.schedule_id, wanted)

    async def _schedule(self, wanted: Wanted) -> None:
        key = wanted.value if self._random.random() < 0.2 else None
        try:
            wanted.receipt = await self._client.publish(
                TOPIC, wanted.value, at=wanted.at, schedule_key=key, timeout=_TIMEOUT_S
            )
        except tapemq.IndeterminateError:
            pass
        except tapemq.Error:
            wanted.was_refused = True

    async def _cancel(self, schedule_id: int, wanted: Wanted) -> None:
        try:
            await self._client.schedules(TOPIC).cancel(schedule_id)
            wanted.fate = "cancelled"
        except tapemq.Error:  # not found: it has come, or a lost answer said that it was cancelled
            wanted.fate = "unknown"

    async def made(self, count: int) -> None:
        """Wait for ``count`` more answers."""
        target = self._made_count + count
        async with self._made:
            await self._made.wait_for(lambda: self._made_count >= target)

    async def finish(self) -> None:
        """Make no more, and wait until nothing is pending."""
        self._stopping = True
        await asyncio.gather(*self._tasks)
        count = 1
        while count:
            with suppress(tapemq.Overloaded):  # the index is being built
                count = await self._client.schedules(TOPIC).count()


async def read_all(client: tapemq.Client) -> list[tapemq.Record]:
    """What has come into the topic."""
    ends = [(await client.partition(TOPIC, n)).visible_offset for n in range(PARTITIONS)]
    records: list[tapemq.Record] = []
    async with client.stream(TOPIC, start="earliest") as stream:
        async for record in stream:
            records.append(record)
            if len(records) == sum(ends):
                break
    return records


def judge(wanted: Sequence[Wanted], records: Sequence[tapemq.Record]) -> Iterator[str]:
    """Everything that is wrong."""
    came: dict[bytes, list[tapemq.Record]] = {one.value: [] for one in wanted}
    for record in records:
        assert record.value is not None
        if record.value not in came:
            yield f"{record.value!r} was never scheduled"
        came.setdefault(record.value, []).append(record)
    for one in wanted:
        found = came[one.value]
        if len(found) > 1:
            yield f"{one} came {len(found)} times"
        if found and (one.fate == "cancelled" or one.was_refused):
            yield f"{one} came"
        if not found and one.receipt is not None and not one.fate:
            yield f"{one} is lost"
        if found and found[0].timestamp < one.at:
            yield f"{one} came early, at {found[0].timestamp}"
