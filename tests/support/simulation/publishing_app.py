"""Applications that publish."""

import asyncio
from random import Random
from typing import Final, Literal

import tapemq
from tapemq.client import Client
from tests.support.simulation.history import Outcome, Place, Publish
from tests.support.simulation.plans import TopicPlan
from tests.support.simulation.scene import Scene

_TIMEOUTS_S: Final = (0.5, 5.0, 30.0)
_EXPECTED: Final = ("indeterminate", "deadline_exceeded")


_LEISURE_S: Final = 0.1
"""Time for readers to catch up: what they do counts too."""
_OPERATIONS_EACH: Final = 5
"""So many come of a record that is published, by and by."""


class PublishingApp:
    """Publishes single records, several at a time, or at a high rate, ``count`` in all."""

    def __init__(self, scene: Scene, name: str, topic: TopicPlan, count: int) -> None:
        self._scene = scene
        self._random = Random(scene.random.random())
        self._name = name
        self._topic = topic.name
        self._keeps = topic.keeps_all
        self._left = count
        self._number = 0

    async def run(self, client: Client) -> None:
        """Publish until all are out."""
        random = self._random
        while self._left > 0 or not self._scene.is_enough:
            if self._left <= 0:
                await asyncio.sleep(_LEISURE_S)
                self._left = max(self._scene.operations_missing // _OPERATIONS_EACH, 1)
            await random.choice((self._one, self._together, self._stream))(client)
            await asyncio.sleep(random.choice((0.001, 0.02, 0.3)) * random.random())

    def _new(self, durability: tapemq.Durability) -> Publish:
        self._number += 1
        self._left -= 1
        padding = b"." * self._random.choice((0, 20, 100, 700))
        publish = Publish(
            producer=self._name,
            number=self._number,
            topic=self._topic,
            value=b"%s:%d:" % (self._name.encode(), self._number) + padding,
            invoked_s=self._scene.loop.time(),
            durable=durability == "durable",
        )
        self._scene.history.publishes.append(publish)
        return publish

    def _end(self, publish: Publish, outcome: Outcome) -> None:
        publish.outcome = outcome
        publish.done_s = self._scene.loop.time()
        if outcome is Outcome.OK and publish.durable and self._keeps:
            self._scene.kept_records += 1

    def _key(self) -> str | None:
        return self._random.choice((None, "a", "b", "c"))

    def _durability(self) -> tapemq.Durability:
        return self._random.choice(("durable", "durable", "written"))

    async def _one(self, client: Client) -> None:
        await self._publish(client, self._durability())

    async def _together(self, client: Client) -> None:
        durability = self._durability()
        count = self._random.randrange(2, 12)
        await asyncio.gather(*(self._publish(client, durability) for _ in range(count)))

    async def _publish(self, client: Client, durability: tapemq.Durability) -> None:
        publish = self._new(durability)
        publish.key = self._key()
        try:
            receipt = await client.publish(
                self._topic,
                publish.value,
                key=publish.key,
                durability=durability,
                timeout=self._random.choice(_TIMEOUTS_S),
            )
        except tapemq.IndeterminateError as error:
            self._end(publish, Outcome.UNKNOWN)
            self._scene.expected(error, *_EXPECTED)
        except tapemq.Error as error:
            self._end(publish, Outcome.FAILED)
            self._scene.expected(error, *_EXPECTED)
        else:
            publish.durable = receipt.durability == "durable"
            self._end(publish, Outcome.OK)
            publish.place = Place(receipt.topic, receipt.partition, receipt.offset)

    def _compression(self) -> Literal["zlib"] | None:
        choices: tuple[Literal["zlib"] | None, ...] = (None, None, "zlib")
        drawn = self._random.choice(choices)
        most = self._scene.history.dropping.get(self._topic)
        # What is compressed takes less of the limit than its values say: see the rule overfull.
        return None if most is not None and most.size_bytes else drawn

    async def _stream(self, client: Client) -> None:
        durability = self._durability()
        waiting: list[Publish] = []
        producer = client.producer(
            self._topic,
            batch_bytes=self._random.choice((1024, 4096, 65536)),
            durability=durability,
            linger=self._random.choice((0.0, 0.0, 0.01)),
            compression=self._compression(),
            timeout=self._random.choice(_TIMEOUTS_S),
        )
        try:
            async with producer:
                for _ in range(min(self._left, self._random.randrange(5, 40))):
                    waiting.append(self._new(durability))
                    waiting[-1].key = self._key()
                    await producer.send(waiting[-1].value, key=waiting[-1].key)
                    if self._random.random() < 0.1:
                        await producer.flush()
                        self._confirmed(waiting)
            self._confirmed(waiting)
        except tapemq.Error as error:
            # Some may have been confirmed before the failure; nobody says which.
            for publish in waiting:
                self._end(publish, Outcome.UNKNOWN)
            self._scene.expected(error, *_EXPECTED)

    def _confirmed(self, waiting: list[Publish]) -> None:
        for publish in waiting:
            self._end(publish, Outcome.OK)
        waiting.clear()
