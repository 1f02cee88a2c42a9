"""Applications that read, with or without a group."""

import asyncio
import builtins
from collections.abc import AsyncIterator
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
from tests.support.simulation.plans import GroupPlan
from tests.support.simulation.scene import Scene

_EXPECTED: Final = (
    *("connection_lost", "deadline_exceeded", "indeterminate", "fenced"),
    "disk_full",  # of a group's position; Scene.expected() knows when
)


class ReadingApp:
    """Opens one stream after another; each is left, or fails, or dies with its process."""

    def __init__(self, scene: Scene, name: str, plan: GroupPlan) -> None:
        self._scene = scene
        self._random = Random(scene.random.random())
        self._name = name
        self._plan = plan
        self._topic = plan.topic
        self._group = plan.group
        self._streams = 0
        # By partition, of the stream that is open: behind the last record that it handed out, and
        # when that was.
        self._handed_out: dict[int, tuple[int, float]] = {}

    async def run(self, client: Client) -> None:
        """Read until the process is killed."""
        while True:
            try:
                await self._read_for_a_while(client)
                if self._plan.seeks and self._random.random() < 0.7:
                    await self._seek(client)
            except tapemq.Error as error:
                self._scene.expected(error, *_EXPECTED)
            await self._scene.rest(self._random)

    async def _read_for_a_while(self, client: Client) -> None:
        interval_s = self._random.choice((None, 0.05, 1.0))
        reader = self._open_reader()
        stream = client.stream(
            self._topic,
            group=self._group or None,
            start="earliest",
            hold=self._plan.hold,
            prefetch_records=self._random.choice((1, 10, 100_000)),
            commit_interval=interval_s,
        )
        self._handed_out.clear()
        commits: list[Commit] = []
        try:
            async with stream:
                await self._read(stream, reader, self._random.choice((0.05, 1.0, 5.0)))
                if self._group and interval_s is not None:
                    commits = self._begin_commits(stream, reader)
        finally:
            reader.closed_s = self._scene.loop.time()
        self._committed(stream, commits)

    def _open_reader(self) -> Reader:
        self._streams += 1
        name = f"{self._name}.{self._streams}"
        reader = self._plan.reader(name, self._scene.loop.time())
        self._scene.history.readers[name] = reader
        return reader

    async def _read(self, stream: tapemq.Stream, reader: Reader, duration_s: float) -> None:
        random = self._random
        pause_s = random.choice((0.0, 0.0, 0.001, 0.05))
        try:
            async with asyncio.timeout(duration_s * random.random()):
                async for records in _some(stream, in_batches=random.random() < 0.2):
                    for record in records:
                        self._handed(stream, reader, record)
                    if pause_s and random.random() < 0.3:
                        await asyncio.sleep(pause_s)
                    if self._group and random.random() < 0.05:
                        await self._commit(stream, reader)
        except builtins.TimeoutError as error:
            if isinstance(error, tapemq.Error):
                raise

    def _handed(self, stream: tapemq.Stream, reader: Reader, record: tapemq.Record) -> None:
        place = Place(record.topic, record.partition, record.offset)
        assert record.value is not None
        now_s = self._scene.loop.time()
        self._scene.history.deliveries.append(
            Delivery(reader.name, place, record.value, now_s, generation(stream, place.partition))
        )
        self._handed_out[record.partition] = record.offset + 1, now_s

    async def _commit(self, stream: tapemq.Stream, reader: Reader) -> None:
        commits = self._begin_commits(stream, reader)
        try:
            await stream.commit()
        except tapemq.Error as error:
            for commit in commits:
                commit.outcome = Outcome.UNKNOWN
            self._scene.expected(error, *_EXPECTED)
        else:
            self._committed(stream, commits)

    def _begin_commits(self, stream: tapemq.Stream, reader: Reader) -> list[Commit]:
        """What a commit now covers: what this stream was handed of the partitions it reads.

        The stream may have committed it by itself, at any time since.
        """
        positions = stream.position
        commits = [
            Commit(
                reader.name,
                self._group,
                LogName(self._topic, partition),
                min(offset, positions[partition]),
                handed_s,
            )
            for partition, (offset, handed_s) in self._handed_out.items()
            if partition in positions
        ]
        self._scene.history.commits += commits
        return commits

    def _committed(self, stream: tapemq.Stream, commits: list[Commit]) -> None:
        for commit in commits:
            commit.generation = generation(stream, commit.log.partition) or inf
            commit.outcome = Outcome.OK
            commit.done_s = self._scene.loop.time()

    async def _seek(self, client: Client) -> None:
        history, loop = self._scene.history, self._scene.loop
        partitions = (await client.topic(self._topic)).partitions
        log = LogName(self._topic, self._random.randrange(partitions))
        offset = self._random.randrange(20)
        history.seeks.append(Seek(self._group, log, offset, loop.time(), inf))
        number = len(history.seeks) - 1
        made = False
        with suppress(tapemq.OffsetOutOfRange):
            await client.seek_group(self._topic, self._group, offset, partition=log.partition)
            made = True
        history.seeks[number] = history.seeks[number]._replace(done_s=loop.time(), made=made)


def generation(stream: tapemq.Stream, partition: int) -> int:
    """Of the claim under which a stream reads a partition now; 0 if it does not."""
    assignment = stream._intake.assignments.get(partition)
    return assignment.generation if assignment is not None else 0


async def _some(stream: tapemq.Stream, *, in_batches: bool) -> AsyncIterator[list[tapemq.Record]]:
    """Records one by one, or a batch at a time."""
    if in_batches:
        async for batch in stream.batches():
            yield list(batch.records())
    else:
        async for record in stream:
            yield [record]
