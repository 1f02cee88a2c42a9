"""What retention is to remove, and what must not be forgotten with it."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from random import Random
from typing import Final

import tapemq
from tapemq.client import Client
from tests.support.simulation.history import Extent, LogName, Old, Retry
from tests.support.simulation.machine import Death
from tests.support.simulation.scene import Scene

_TOPIC: Final = "topic-old"
_LOG: Final = LogName(_TOPIC, 0)
_AGE_S: Final = 1
_ROUNDS: Final = 3
_RECORDS: Final = 4
"""In each round; they fill a segment."""
_CHECKS_S: Final = 1.0
"""Time for retention to do its work."""
_PAUSE_S: Final = 30.0
_TIMEOUT_S: Final = 300.0


class Retiring:
    """A topic of its own gets more than it is to keep, or for longer, while a producer stands
    still that was not told that its record is on disk. Then the broker ends, and the producer
    sends the record again, which is removed by then.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        random = Random(scene.random.random())
        self._death = random.choice([*Death])
        segment_bytes = scene.machine.settings.segment_bytes
        self._value = b"." * (segment_bytes // _RECORDS)
        self._settings: Mapping[str, int] = {"retention_bytes": segment_bytes // 2}
        if random.random() < 0.5:
            self._settings = {"retention_age_s": _AGE_S}
        self._producer = scene.app("late", self._publish)
        self._sent = asyncio.Event()

    async def run(self) -> None:
        """See the class."""
        publishing = self._scene.loop.create_task(self._producer.run())
        await self._sent.wait()
        await self._scene.app("outgrowing", self._outgrow).run()
        machine = self._scene.machine
        if self._death is Death.STOP:
            await machine.stop()
        else:
            machine.die(self._death)
        await machine.ready()
        await publishing

    async def _publish(self, client: Client) -> None:
        await client.create_topic(_TOPIC, 1, **self._settings)
        await client.publish(_TOPIC, b"before")
        for end in self._scene.loop.network.transports:
            if end.process is self._producer.process:
                end.incoming.dark = True
        sending = asyncio.create_task(client.publish(_TOPIC, b"late", timeout=_TIMEOUT_S))
        await asyncio.sleep(0)
        self._sent.set()
        answered = None
        with suppress(tapemq.IndeterminateError):
            answered = (await sending).offset
        self._scene.history.retries.append(Retry(_LOG, 1, answered))

    async def _outgrow(self, client: Client) -> None:
        end = 0
        while end < 2:
            await asyncio.sleep(0.01)
            end = (await client.partitions(_TOPIC))[0].next_offset
        self._scene.loop.pause(self._producer.process, _PAUSE_S)
        for _ in range(_ROUNDS):
            for _ in range(_RECORDS):
                await client.publish(_TOPIC, self._value)
            await asyncio.sleep(_AGE_S * 1.5 + _CHECKS_S)
        (info,) = await client.partitions(_TOPIC)
        found = info.first_offset, info.next_offset, info.size_bytes
        extent = Extent(_LOG, *found, self._scene.loop.time())
        # The oldest segment stays until all of it is surplus, and has a record too many at most.
        most_bytes = (
            self._settings.get("retention_bytes", 0)
            + self._scene.machine.settings.segment_bytes
            + 2 * len(self._value)
        )
        self._scene.history.old.append(Old(extent, self._settings, 1, most_bytes))
