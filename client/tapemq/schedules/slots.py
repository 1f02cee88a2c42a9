"""Identities to number schedules under, so that a retry is not a second schedule."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from tapemq.batch import Columns, encode_body
from tapemq.batch.expiry import EXPIRY
from tapemq.network.link import Link
from tapemq.publishing.item import Item
from tapemq.wire import messages as m

IN_FLIGHT: Final = 64
"""So many requests to schedule records of a topic may await their answers."""


class Slot:
    """A producer with at most one batch in flight."""

    def __init__(self, producer: m.Producer) -> None:
        self.restart(producer)

    def restart(self, producer: m.Producer) -> None:
        """Go on as another producer: the broker knows this one no more."""
        self._producer = producer
        self._sequence = 0

    def encode(self, items: Sequence[Item], time_us: int) -> bytes:
        """The body of records, under the next numbers."""
        values = [item.value for item in items]
        keys = [item.key for item in items]
        extras = [item.extras for item in items]
        has_keys = any(key is not None for key in keys)
        return encode_body(
            Columns(values, keys if has_keys else None, extras if any(extras) else None),
            producer_id=self._producer.producer_id,
            producer_epoch=self._producer.producer_epoch,
            first_sequence=self._sequence,
            producer_time_us=time_us,
            flags=EXPIRY if any(item.expires for item in items) else 0,
        )

    def settled(self, count: int) -> None:
        """The broker has them: go on behind them."""
        self._sequence += count


class Slots:
    """Slots of a topic, opened as they are needed."""

    def __init__(self, link: Link) -> None:
        self._link: Final = link
        self._free: Final[list[Slot]] = []
        self._room: Final = asyncio.Semaphore(IN_FLIGHT)

    @asynccontextmanager
    async def taken(self, timeout_s: float) -> AsyncIterator[Slot]:
        """A slot for one batch. One that did not end well is not used again."""
        async with self._room:
            slot = self._free.pop() if self._free else Slot(await self.open(timeout_s))
            yield slot
            self._free.append(slot)

    async def open(self, timeout_s: float) -> m.Producer:
        """Another identity."""
        producer: m.Producer = await self._link.call(m.OpenProducer(), timeout_s)
        return producer
