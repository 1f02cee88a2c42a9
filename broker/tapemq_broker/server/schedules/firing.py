"""Brings schedules that are due into their topics."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tapemq.batch import BatchError
from tapemq_broker.core.effects import Effects
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.schedules.book import Due
from tapemq_broker.core.schedules.delivery import body_of, deliver
from tapemq_broker.core.schedules.schedule import SCHEDULER_ID
from tapemq_broker.server.durability import LogGone
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.schedules.indexer import Indexer
from tapemq_broker.server.schedules.shelf import Shelf, Volume

log = logging.getLogger("tapemq.broker")

_RETRY_S: Final = 1.0
_BATCH_RECORDS: Final = 2048
_BATCH_BYTES: Final = 1024 * 1024


class Firing:
    """The three steps of a firing, for one partition at a time; see docs/adr/0007-schedules.md."""

    def __init__(self, engine: Engine, shelf: Shelf, indexer: Indexer) -> None:
        self._engine: Final = engine
        self._shelf: Final = shelf
        self._indexer: Final = indexer
        # Why, of partitions whose firing cannot be gone on with before the next start.
        self.refused: Final[dict[tuple[int, int], str]] = {}
        self._missing: Final[set[tuple[int, int]]] = set()
        self.is_stopping = False

    def left_out(self) -> list[tuple[int, int]]:
        """Partitions, as (topic id, number), whose schedules wait though they are due."""
        self.find_missing()
        return [*self.refused, *self._missing]

    def find_missing(self) -> bool:
        """Whether there is a partition now that schedules have waited for."""
        topics = self._engine.core.topics.by_id
        found = [
            (at, n) for at, n in self._missing if at in topics and n < len(topics[at].partitions)
        ]
        self._missing.difference_update(found)
        return bool(found)

    def check_going_on(self, volume: Volume, number: int) -> None:
        """Raise Refused if what is firing into a partition was given up."""
        why = self.refused.get((volume.topic_id, number))
        if why is not None:
            raise Refused(
                "storage_failed",
                f"the schedule was firing into partition {number} when that failed ({why}), and "
                "may be there already; before it can be changed, repair the partition and start "
                "the broker again, or use another key",
            )

    async def fire(self, volume: Volume, number: int, due: Sequence[Due]) -> None:
        """Append what is due to a partition, unless it was changed meanwhile."""
        try:
            self._pass_over(volume, [one for one in due if not one.times.fire_us])
            for some in _batches([one for one in due if one.times.fire_us]):
                await self._begin(volume, number, some)
        except LogGone:
            pass

    def _pass_over(self, volume: Volume, due: Sequence[Due]) -> None:
        due = volume.book.still_due(due)
        if due and not volume.is_gone:
            self._engine.run(volume.book.pass_over(due))
            self._indexer.wake(volume)

    async def _begin(self, volume: Volume, number: int, due: Sequence[Due]) -> None:
        partition = self._partition(volume, number)
        book = volume.book
        due = book.still_due(due)
        if partition is None or not due or number in book.firings or self.is_stopping:
            return
        place = partition.producers.place_of(SCHEDULER_ID)
        self._engine.run(book.fire(number, place, due))
        self._indexer.wake(volume)
        if number in book.firings:  # else the disk is full, and they stay due
            await self.finish(volume, number)

    def _partition(self, volume: Volume, number: int) -> Partition | None:
        topic = self._engine.core.topics.by_id.get(volume.topic_id)
        if topic is None or volume.is_gone:
            return None
        if number >= len(topic.partitions):
            # A power cut took the partition before it was confirmed: it may be made again.
            log.warning("topic %s: schedules wait for partition %d to be", volume.name, number)
            self._missing.add((volume.topic_id, number))
            return None
        return topic.partitions[number]

    async def finish(self, volume: Volume, number: int) -> None:
        """Go on with a firing that has begun. Raises LogGone."""
        book = volume.book
        firing = book.firings[number]
        await self._shelf.durable(volume, firing.next_offset)
        now_us = self._engine.world.clock.wall_us()
        try:
            body = await asyncio.to_thread(body_of, firing, now_us)
        except BatchError as error:
            # One that an earlier version began, of too many times of a large record.
            log.error("topic %s: a firing is begun again in parts: %s", volume.name, error)
            await self._abandon(volume, number)
            return
        end = await self._append(volume, number, body)
        if end is None:
            return
        partition = self._engine.core.topics.get(volume.topic_id).partitions[number]
        if self._engine.logs.durable_offset(partition.log) < end:
            await self._engine.durability.wait(partition.log, end)
        await self._end(volume, number, book.fired)
        self._engine.counters.schedules_fired += len(firing.entry.shots)
        self._indexer.wake(volume)
        volume.notify()

    async def _end(self, volume: Volume, number: int, how: Callable[[int], Effects]) -> None:
        """Note that a firing is over, once there is room on the disk."""
        while not volume.is_gone:
            self._engine.run(how(number))
            if number not in volume.book.firings or self.is_stopping:
                break
            await asyncio.sleep(_RETRY_S)

    async def _append(self, volume: Volume, number: int, body: bytes) -> int | None:
        """Append a firing's batch; the offset behind it. None: it cannot be done (now)."""
        while (partition := self._partition(volume, number)) is not None:
            try:
                appending = deliver(partition, body, self._engine.age_clock.now_us())
            except Refused as refused:
                await self._give_up(volume, number, refused)
                return None
            if appending.append is not None:
                effects: Effects = [appending.append]
                self._engine.run(effects)
            if self._engine.logs.next_offset(partition.log) >= appending.next_offset:
                return appending.next_offset
            if self.is_stopping:
                return None
            await asyncio.sleep(_RETRY_S)
        if (volume.topic_id, number) in self._missing:
            await self._give_up(volume, number, Refused("unknown_partition", "it does not exist"))
        return None

    async def _give_up(self, volume: Volume, number: int, refused: Refused) -> None:
        if refused.refusal.name == "unknown_producer":
            # It was idle for longer than partitions remember: nothing of this firing is there.
            await self._abandon(volume, number)
            return
        log.error("topic %s: its schedules for partition %d wait: %s", volume.name, number, refused)
        self.refused[volume.topic_id, number] = str(refused)
        volume.notify()  # who waits for its end is to learn that it does not come

    async def _abandon(self, volume: Volume, number: int) -> None:
        """Nothing of a firing is in its partition, nor will be: what it names stays due."""
        await self._end(volume, number, volume.book.abandon)
        self._indexer.wake(volume)
        volume.notify()


def _batches(due: Sequence[Due]) -> Iterator[list[Due]]:
    some: list[Due] = []
    records = size_bytes = 0
    for one in due:
        shots = len(one.times.fire_us)
        records += shots
        size_bytes += shots * len(one.schedule.record)
        if some and (records > _BATCH_RECORDS or size_bytes > _BATCH_BYTES):
            yield some
            some, records, size_bytes = [], shots, shots * len(one.schedule.record)
        some.append(one)
    if some:
        yield some
