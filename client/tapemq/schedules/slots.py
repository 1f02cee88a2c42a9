"""Identities to number schedules under, so that a retry is not a second schedule."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tapemq.batch import Columns, encode_body
from tapemq.batch.expiry import EXPIRY
from tapemq.network.link import Link
from tapemq.publishing.item import Item
from tapemq.wire import messages as m

IN_FLIGHT: Final = 64
"""So many schedules of a topic may await their receipts."""


class Slot:
    """A producer with at most one record in flight."""

    def __init__(self, producer: m.Producer) -> None:
        self.restart(producer)

    def restart(self, producer: m.Producer) -> None:
        """Go on as another producer: the broker knows this one no more."""
        self._producer = producer
        self._sequence = 0

    def encode(self, item: Item, time_us: int) -> bytes:
        """The body of a record, under the next number."""
        keys = None if item.key is None else [item.key]
        extras = [item.extras] if item.extras else None
        return encode_body(
            Columns([item.value], keys, extras),
            producer_id=self._producer.producer_id,
            producer_epoch=self._producer.producer_epoch,
            first_sequence=self._sequence,
            producer_time_us=time_us,
            flags=EXPIRY if item.expires else 0,
        )

    def settled(self) -> None:
        """The broker has it: go on with the next number."""
        self._sequence += 1


class Slots:
    """Slots of a topic, opened as they are needed."""

    def __init__(self, link: Link) -> None:
        self._link: Final = link
        self._free: Final[list[Slot]] = []
        self._room: Final = asyncio.Semaphore(IN_FLIGHT)

    @asynccontextmanager
    async def taken(self, timeout_s: float) -> AsyncIterator[Slot]:
        """A slot for one schedule. One that did not end well is not used again."""
        async with self._room:
            slot = self._free.pop() if self._free else Slot(await self.open(timeout_s))
            yield slot
            slot.settled()
            self._free.append(slot)

    async def open(self, timeout_s: float) -> m.Producer:
        """Another identity."""
        producer: m.Producer = await self._link.call(m.OpenProducer(), timeout_s)
        return producer
