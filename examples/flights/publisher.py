"""Publishes every row as one record, keyed by carrier, and late flights to a topic of their own."""

import asyncio
from collections.abc import Collection, Sequence

import late
from dataset import Columns

import tapemq

ROW = "row"
"""Header with the number of the row, which tells records apart whatever they contain."""


class Publisher:
    """Sends the rows; `sent` of them so far."""

    def __init__(self, rows: Sequence[str], columns: Columns, late_rows: Collection[int]) -> None:
        self.sent = 0
        self.half_way = asyncio.Event()
        self._rows = rows
        self._columns = columns
        self._late_rows = late_rows

    async def run(self, client: tapemq.Client, topic: str) -> None:
        """Returns when the broker has confirmed every one: all of them are on its disk."""
        async with client.producer(topic) as producer, client.producer(late.TOPIC) as late_producer:
            for number, row in enumerate(self._rows):
                carrier = self._columns.carrier(row)
                await producer.send(row, key=carrier, headers={ROW: number})
                if number in self._late_rows:
                    await late_producer.send(row, key=carrier, headers={ROW: number})
                self.sent = number + 1
                if self.sent == len(self._rows) // 2:
                    self.half_way.set()
