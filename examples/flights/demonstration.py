"""The run itself: one publisher, two groups that read along, four workers on what is late, and a
broker that dies half-way."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import late
from broker_process import BrokerProcess
from dataset import Columns
from delays import DelayTable
from progress import Bars
from publisher import Publisher
from readers import CompletenessReader, DelayReader
from report import Outcome
from workers import Workers

import tapemq

TOPIC = "flights"
PARTITIONS = 4
LOOK_EVERY_S = 0.05
STALLED_AFTER_S = 60.0


class Demonstration:
    """Publishes rows, reads them twice, works on some, and kills the broker in between."""

    def __init__(self, head: str, rows: Sequence[str]) -> None:
        columns = Columns(head)
        self._rows = rows
        self._columns = columns
        self._workers = Workers(late.late_rows(rows, columns))
        self._publisher = Publisher(rows, columns, self._workers.expected)
        self._readers = (DelayReader(columns), CompletenessReader(rows))

    async def run(self) -> Outcome:
        """Everything, from an empty directory to what was found."""
        with tempfile.TemporaryDirectory(prefix="tapemq-demo-") as directory:
            broker = BrokerProcess(Path(directory))
            await broker.start()
            try:
                with Bars(self._totals()) as bars:
                    await self._run_with(broker, bars)
            finally:
                await self._workers.stop()
                await broker.stop()
        expected = DelayTable(map(self._columns.flight, self._rows))
        return Outcome(self._publisher.sent, *self._readers, expected, self._workers)

    async def _run_with(self, broker: BrokerProcess, bars: Bars) -> None:
        async with await tapemq.connect(broker.url) as client, asyncio.TaskGroup() as tasks:
            await client.create_topic(TOPIC, partitions=PARTITIONS)
            await client.create_topic(late.TOPIC)
            await self._workers.start(broker.url)
            reading = [tasks.create_task(reader.run(client, TOPIC)) for reader in self._readers]
            publishing = tasks.create_task(self._publisher.run(client, TOPIC))
            killing = tasks.create_task(self._kill_half_way(broker, bars))
            killing_one = tasks.create_task(self._workers.kill_one(bars))
            while not (publishing.done() and killing.done()):
                await self._look(bars)
            ends = await _ends(client)
            while not all(reader.positions.have_reached(ends) for reader in self._readers):
                await self._look(bars)
            while not self._workers.is_done:
                await self._workers.look(client)
                await self._look(bars)
            if self._workers.expected:
                await killing_one
            for task in (*reading, killing_one):
                task.cancel()

    async def _kill_half_way(self, broker: BrokerProcess, bars: Bars) -> None:
        await self._publisher.half_way.wait()
        process_id = await broker.kill()
        bars.note(f"killed the broker (SIGKILL to process {process_id}), starting it again")
        await broker.start()
        bars.note("the broker is back; nobody told the publisher or the readers")

    async def _look(self, bars: Bars) -> None:
        await asyncio.sleep(LOOK_EVERY_S)
        now = asyncio.get_running_loop().time()
        idle_s = bars.show(self._counts(), now)
        if idle_s > STALLED_AFTER_S:
            raise SystemExit(f"nothing has moved for {idle_s:.0f} s: {self._counts()}")

    def _counts(self) -> dict[str, int]:
        counts = {"published": self._publisher.sent}
        for reader in self._readers:
            counts[f"group {reader.group}"] = reader.positions.records
        counts[f"queue {late.GROUP}"] = len(self._workers.handled)
        return counts

    def _totals(self) -> dict[str, int]:
        totals = dict.fromkeys(self._counts(), len(self._rows))
        totals[f"queue {late.GROUP}"] = len(self._workers.expected)
        return totals


async def _ends(client: tapemq.Client) -> dict[int, int]:
    """The next offset of each partition, now that everything has been published."""
    return {part.partition: part.visible_offset for part in await client.partitions(TOPIC)}
