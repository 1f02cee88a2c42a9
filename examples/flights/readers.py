"""The two groups that read along, each at its own pace, from the same log."""

from collections.abc import Sequence

from dataset import Columns
from delays import DelayTable
from positions import Positions
from publisher import ROW

import tapemq


class DelayReader:
    """Adds up delays by carrier."""

    group = "delays"

    def __init__(self, columns: Columns) -> None:
        self.positions = Positions()
        self.table = DelayTable()
        self._columns = columns

    async def run(self, client: tapemq.Client, topic: str) -> None:
        """Reads until it is cancelled."""
        async with client.stream(topic, group=self.group, start="earliest") as stream:
            async for record in stream:
                if self.positions.is_new(record.partition, record.offset):
                    self.table.add(self._columns.flight(record.text))


class CompletenessReader:
    """Checks that each row is in the log once, unchanged, and behind the ones before it."""

    group = "completeness"

    def __init__(self, rows: Sequence[str]) -> None:
        self.positions = Positions()
        self.duplicated = 0
        self.changed = 0
        self.out_of_order = 0
        self._rows = rows
        self._seen = bytearray(len(rows))
        self._last_row: dict[int, int] = {}

    async def run(self, client: tapemq.Client, topic: str) -> None:
        """Reads until it is cancelled."""
        async with client.stream(topic, group=self.group, start="earliest") as stream:
            async for record in stream:
                if self.positions.is_new(record.partition, record.offset):
                    self._check(record)

    def _check(self, record: tapemq.Record) -> None:
        number = int(record.headers[ROW])
        self.duplicated += self._seen[number]
        self._seen[number] = True
        self.changed += record.text != self._rows[number]
        self.out_of_order += number < self._last_row.get(record.partition, 0)
        self._last_row[record.partition] = number

    @property
    def lost(self) -> int:
        """Rows that were published and are not in the log."""
        return self._seen.count(False)
