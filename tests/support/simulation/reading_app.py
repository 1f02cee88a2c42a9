"""Applications that read, with or without a group."""

import asyncio
import builtins
from contextlib import suppress
from math import inf
from random import Random
from typing import Final

import tapemq
from tapemq.client import Client
from tests.support.simulation.history import (
    Commit,
    Delivery,
    LogName,
    Outcome,
    Place,
    Reader,
    Seek,
)
from tests.support.simulation.scene import Scene

_EXPECTED: Final = ("connection_lost", "deadline_exceeded", "indeterminate", "fenced")


class ReadingApp:
    """Opens one stream after another; each is left, or fails, or dies with its process."""

    def __init__(self, scene: Scene, name: str, topic: str, group: str, *, seeks: bool) -> None:
        self._scene = scene
        self._random = Random(scene.random.random())
        self._name = name
        self._topic = topic
        self._group = group
        self._seeks = seeks
        self._streams = 0

    async def run(self, client: Client) -> None:
        """Read until the process is killed."""
        while True:
            try:
                await self._read_for_a_while(client)
                if self._seeks and self._random.random() < 0.3:
                    await self._seek(client)
            except tapemq.Error as error:
                self._scene.expected(error, *_EXPECTED)
            await asyncio.sleep(self._random.random() * 0.3)

    async def _read_for_a_while(self, client: Client) -> None:
        interval_s = self._random.choice((None, 0.05, 1.0))
        reader = self._open_reader()
        stream = client.stream(
            self._topic,
            group=self._group or None,
            start="earliest",
            prefetch_records=self._random.choice((1, 10, 100_000)),
            commit_interval=interval_s,
        )
        positions: dict[int, int] = {}
        try:
            async with stream:
                await self._read(stream, reader, self._random.choice((0.05, 1.0, 5.0)))
                positions, left_s = stream.position, self._scene.loop.time()
        finally:
            reader.closed_s = self._scene.loop.time()
        if self._group and interval_s is not None:
            for partition, offset in positions.items():
                self._committed(self._begin(reader, partition, offset, left_s))

    def _open_reader(self) -> Reader:
        self._streams += 1
        name = f"{self._name}.{self._streams}"
        reader = Reader(name, self._topic, self._group, True, self._scene.loop.time())
        self._scene.history.readers[name] = reader
        return reader

    async def _read(self, stream: tapemq.Stream, reader: Reader, duration_s: float) -> None:
        history, loop, random = self._scene.history, self._scene.loop, self._random
        pause_s = random.choice((0.0, 0.0, 0.001, 0.05))
        try:
            async with asyncio.timeout(duration_s * random.random()):
                async for record in stream:
                    place = Place(record.topic, record.partition, record.offset)
                    assert record.value is not None
                    history.deliveries.append(
                        Delivery(reader.name, place, record.value, loop.time())
                    )
                    if pause_s and random.random() < 0.3:
                        await asyncio.sleep(pause_s)
                    if self._group and random.random() < 0.05:
                        await self._commit(stream, reader)
        except builtins.TimeoutError as error:
            if isinstance(error, tapemq.Error):
                raise

    async def _commit(self, stream: tapemq.Stream, reader: Reader) -> None:
        now_s = self._scene.loop.time()
        commits = [
            self._begin(reader, partition, offset, now_s)
            for partition, offset in stream.position.items()
        ]
        try:
            await stream.commit()
        except tapemq.Error as error:
            for commit in commits:
                commit.outcome = Outcome.UNKNOWN
            self._scene.expected(error, *_EXPECTED)
        else:
            for commit in commits:
                self._committed(commit)

    def _begin(self, reader: Reader, partition: int, offset: int, now_s: float) -> Commit:
        log = LogName(self._topic, partition)
        commit = Commit(reader.name, self._group, log, offset, now_s)
        self._scene.history.commits.append(commit)
        return commit

    def _committed(self, commit: Commit) -> None:
        commit.outcome = Outcome.OK
        commit.done_s = self._scene.loop.time()

    async def _seek(self, client: Client) -> None:
        history, loop = self._scene.history, self._scene.loop
        partitions = (await client.topic(self._topic)).partitions
        log = LogName(self._topic, self._random.randrange(partitions))
        offset = self._random.randrange(20)
        history.seeks.append(Seek(self._group, log, offset, loop.time(), inf))
        number = len(history.seeks) - 1
        with suppress(tapemq.OffsetOutOfRange):
            await client.seek_group(self._topic, self._group, offset, partition=log.partition)
        history.seeks[number] = history.seeks[number]._replace(done_s=loop.time())
