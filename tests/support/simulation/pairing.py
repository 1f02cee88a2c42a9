"""Two members of a group that read on side by side after the second one has come."""

import asyncio
from contextlib import suppress
from typing import Final

import tapemq
from tapemq.client import Client
from tests.support.simulation.history import Delivery, Outcome, Place, Publish, Reader
from tests.support.simulation.reading_app import generation
from tests.support.simulation.scene import Scene

_TOPIC: Final = "topic-pair"
_GROUP: Final = "pair"
_ROUNDS: Final = 3
_LOOK_S: Final = 0.05
_TIMEOUT_S: Final = 60.0


class Pairing:
    """The first member has both partitions until the second one comes; then more is published, a
    round at a time. Nobody commits: no answer to that tells a member what it has lost.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._published = 0
        self._handed: set[tuple[str, Place]] = set()
        self._more = asyncio.Event()

    async def run(self) -> None:
        """See the class."""
        await self._scene.app("pair", self._share).run()

    async def _share(self, client: Client) -> None:
        await client.create_topic(_TOPIC, 2)
        names = ["pair-0", "pair-1"]
        streams = {
            name: client.stream(_TOPIC, group=_GROUP, start="earliest", commit_interval=None)
            for name in names
        }
        reading: list[asyncio.Task[None]] = []
        with suppress(TimeoutError):  # what does not come breaks other rules
            async with asyncio.timeout(_TIMEOUT_S):
                for name, partitions in zip(names, (2, 1), strict=True):
                    reading.append(asyncio.create_task(self._read(name, streams[name])))
                    missing = partitions
                    while missing:
                        await asyncio.sleep(_LOOK_S)
                        missing = partitions - len(streams[name].position)
                (moved,) = streams[names[1]].position
                owners = [names[partition == moved] for partition in range(2)]
                for _ in range(_ROUNDS):
                    await self._publish_round(client, owners)
        for task in reading:
            task.cancel()
        await asyncio.wait(reading)

    async def _read(self, name: str, stream: tapemq.Stream) -> None:
        history, loop = self._scene.history, self._scene.loop
        reader = history.readers[name] = Reader(name, _TOPIC, _GROUP, True, loop.time())
        try:
            async with stream:
                async for record in stream:
                    assert record.value is not None
                    place = Place(_TOPIC, record.partition, record.offset)
                    at = loop.time(), generation(stream, place.partition)
                    history.deliveries.append(Delivery(name, place, record.value, *at))
                    self._handed.add((name, place))
                    self._more.set()
        finally:
            reader.closed_s = loop.time()

    async def _publish_round(self, client: Client, owners: list[str]) -> None:
        """A record for each partition, which is to come to who has that."""
        for partition, owner in enumerate(owners):
            place = await self._publish(client, partition)
            while (owner, place) not in self._handed:
                self._more.clear()
                await self._more.wait()

    async def _publish(self, client: Client, partition: int) -> Place:
        history, loop = self._scene.history, self._scene.loop
        self._published += 1
        publish = Publish(
            *("pair", self._published, _TOPIC, b"pair:%d" % self._published, loop.time())
        )
        history.publishes.append(publish)
        receipt = await client.publish(_TOPIC, publish.value, partition=partition)
        publish.place = Place(_TOPIC, receipt.partition, receipt.offset)
        publish.done_s, publish.outcome = loop.time(), Outcome.OK
        return publish.place
