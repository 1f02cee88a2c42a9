"""The end of a run: one more end of the broker, then fresh readers look at everything."""

import asyncio
import builtins
from collections.abc import Callable
from random import Random
from typing import Final

import tapemq
from tapemq.client import Client
from tests.support.simulation.handing_over import HandingOver
from tests.support.simulation.history import Delivery, Extent, LogName, Place, Position
from tests.support.simulation.leasing import Leasing
from tests.support.simulation.machine import Death
from tests.support.simulation.pairing import Pairing
from tests.support.simulation.plans import GroupPlan
from tests.support.simulation.reading_app import generation
from tests.support.simulation.retiring import Retiring
from tests.support.simulation.scene import Scene
from tests.support.simulation.scheduling_app import none_pending
from tests.support.simulation.vigil import Vigil
from tests.support.simulation.working_app import DrainingApp
from tests.support.simulation.workload import Workload

_DRAIN_S: Final = 120.0


class Finale:
    """Ends the broker once more, drains every group and reads every log from its start.

    In some runs the broker goes on: what is stuck in it must not be freed by a new start.
    """

    def __init__(self, scene: Scene, workload: Workload) -> None:
        self._scene = scene
        self._workload = workload
        self._random = Random(scene.random.random())

    async def run(self) -> None:
        """See the class."""
        await self._end_broker()
        await self._scene.machine.ready()
        await Pairing(self._scene).run()
        await self._scene.app("final", self._look_at_everything).run()
        network = self._scene.loop.network
        network.weather = network.weather._replace(spike_chance=0.0)  # for new connections
        # A lease may be shorter than a message took before: nothing would ever be acked in time.
        await self._scene.app("drain", self._drain_queues).run()
        await Vigil(self._scene, self._workload).run()
        await HandingOver(self._scene).run()
        await Leasing(self._scene).run()
        await Retiring(self._scene).run()

    async def _look_at_everything(self, client: Client) -> None:
        await self._read_everything(client)
        for plan in self._workload.groups:
            await _Drain(self._scene, plan).run(client)

    async def _drain_queues(self, client: Client) -> None:
        for queue in self._workload.queues:
            await DrainingApp(self._scene, queue).run(client)
        await self._look_at_starts(client)

    async def _end_broker(self) -> None:
        machine = self._scene.machine
        await machine.ready()
        machine.clock.jump(-machine.clock.skew_s)  # or what is scheduled waits for an hour
        # A broker that read wrong bits refuses what was hit until it is started again.
        going_on = () if self._scene.rot else (None, None)
        death = self._random.choice((*Death, *going_on))
        if death is Death.STOP:
            await machine.stop()
        elif death is not None:
            machine.die(death)

    async def _read_everything(self, client: Client) -> None:
        async with asyncio.timeout(_DRAIN_S):
            await none_pending(client, self._workload.scheduled_topic)
            if any(plan.retention for plan in self._workload.topics):
                await asyncio.sleep(1.0)  # for retention to do its work
            history = self._scene.history
            history.final_topics = await client.topics()
            for topic in history.final_topics:
                if topic not in history.topics:
                    await self._read_topic(client, topic)

    async def _look_at_starts(self, client: Client) -> None:
        """Retention goes on while groups that hold it back are drained."""
        history = self._scene.history
        for topic in history.final_topics:
            for info in await client.partitions(topic):
                log = LogName(topic, info.partition)
                dropped_upto = history.dropped_upto.get(log, 0)
                history.first_offsets[log] = max(info.first_offset, dropped_upto)
                self._note_extent(info)

    def _note_extent(self, info: tapemq.PartitionInfo) -> None:
        history, now_s = self._scene.history, self._scene.loop.time()
        log = LogName(info.topic, info.partition)
        history.extents.append(
            Extent(log, info.first_offset, info.next_offset, info.size_bytes, now_s)
        )

    async def _read_topic(self, client: Client, topic: str) -> None:
        history = self._scene.history
        final, times = history.final, history.scheduled_times
        scheduled = {schedule.value for schedule in history.schedules}
        infos = await client.partitions(topic)
        ends = {info.partition: info.next_offset for info in infos}
        for info in infos:
            self._note_extent(info)
            log = LogName(topic, info.partition)
            final[log], history.final_times[log] = {}, {}

        def take(record: tapemq.Record) -> None:
            assert record.value is not None
            log = LogName(topic, record.partition)
            final[log][record.offset] = record.value
            history.final_times[log][record.offset] = record.timestamp
            if record.value in scheduled:
                times[record.value] = record.timestamp

        async with client.stream(topic, start="earliest") as stream:
            await _read_until(stream, ends, take)


class _Drain:
    """Reads with a group until it has been handed everything."""

    def __init__(self, scene: Scene, plan: GroupPlan) -> None:
        self._scene = scene
        self._plan = plan

    async def run(self, client: Client) -> None:
        """Look where the group is, drain it, and look again."""
        plan, history = self._plan, self._scene.history
        if plan.topic not in await client.topics():
            return
        if plan.group in await client.groups(plan.topic):
            await self._look(client)
        name = f"{plan.group}.final"
        reader = history.readers[name] = plan.reader(name, self._scene.loop.time())
        try:
            async with asyncio.timeout(_DRAIN_S):
                await self._drain(client, name)
        except builtins.TimeoutError:
            pass  # the checker says what was not delivered
        reader.closed_s = self._scene.loop.time()
        await self._look(client)

    async def _look(self, client: Client) -> None:
        plan, now_s = self._plan, self._scene.loop.time()
        group = await client.group(plan.topic, plan.group)
        done_s = self._scene.loop.time()
        self._scene.history.positions += [
            Position(plan.group, LogName(plan.topic, part.partition), part.cursor, now_s, done_s)
            for part in group.partitions
        ]

    async def _drain(self, client: Client, name: str) -> None:
        plan, history = self._plan, self._scene.history
        infos = await client.partitions(plan.topic)
        ends = {info.partition: info.next_offset for info in infos}

        def take(record: tapemq.Record) -> None:
            assert record.value is not None
            place = Place(record.topic, record.partition, record.offset)
            at = self._scene.loop.time(), generation(stream, record.partition)
            history.deliveries.append(Delivery(name, place, record.value, *at))

        stream = client.stream(plan.topic, group=plan.group, start="earliest", hold=plan.hold)
        async with stream:
            await _read_until(stream, ends, take)


async def _read_until(
    stream: tapemq.Stream, ends: dict[int, int], take: Callable[[tapemq.Record], None]
) -> None:
    """Read on until all partitions are the stream's and read to their ends."""
    while stream.position != ends:
        try:
            async with asyncio.timeout(1.0):
                async for record in stream:
                    take(record)
                    if stream.position == ends:
                        return
        except builtins.TimeoutError as error:
            if isinstance(error, tapemq.Error):
                raise
