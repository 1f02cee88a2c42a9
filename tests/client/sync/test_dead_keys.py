"""Against the real broker; what is chosen is in tests/client/queues."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from tapemq import errors, sync
from tapemq.errors import Closed
from tapemq.infos import PartitionInfo
from tapemq.queues.infos import DeadRecord
from tapemq.streams.record import Record, Source
from tapemq.sync.dead_keys import Reader, with_key
from tapemq.testing import Broker


def work(url: str) -> None:
    with sync.connect(url) as client:
        assert [dead.offset for dead in client.dead("t", "g", key="0")] == [0, 2, 4]
        assert [dead.offset for dead in client.dead("t", "g", key=b"0", limit=2)] == [0, 2]
        assert [dead.offset for dead in client.dead("t", "g", key="0", reason="r4")] == [4]
        assert client.dead("t", "g", key="none") == []
        with pytest.raises(ValueError, match="a key goes with a reason"):
            client.redrive("t", "g", key="0", everything=True)
        assert client.redrive("t", "g", key="0", dry_run=True) == 3
        assert client.redrive("t", "g", key="0", reason="r2", rate=1000) == 1
        assert client.discard("t", "g", key="0") == 2
        assert [(dead.offset, dead.error) for dead in client.dead("t", "g")] == [
            (1, "text"),
            (3, "text"),
            (5, "text"),
        ]


async def test_dead_records_are_chosen_by_key() -> None:
    async with Broker() as broker, await broker.connect() as client:
        for number in range(6):
            await client.publish("t", "v", key=str(number % 2))
        async with client.queue("t", group="g") as queue:
            for number in range(6):
                message = await anext(aiter(queue))
                await message.reject(reason=f"r{number}", error="text", confirm=True)
        await asyncio.to_thread(work, broker.url)


class Leaving:
    """A client whose broker is gone when one record has come."""

    def __init__(self) -> None:
        self._ends = iter([10])

    def partition(self, topic: str, partition: int) -> PartitionInfo:
        if (end := next(self._ends, None)) is not None:
            return PartitionInfo(topic, partition, 0, end, end, end, 0, 0, None, None, 0)
        raise errors.TimeoutError("no connection")

    @contextmanager
    def stream(self, topic: str, **_: object) -> Iterator[Any]:
        yield self

    def _records(self, patience_s: float = 0.0) -> Iterator[Record]:
        yield Record(b"v", b"k", 3, b"", Source("t", 0, 0))

    def __iter__(self) -> Iterator[Record]:
        yield from self._records()
        raise Closed("the stream is closed")


def test_what_was_not_read_because_the_broker_went_is_no_answer() -> None:
    dead: Any = [DeadRecord(0, offset, "failed", "", 1, 0, 0, None) for offset in (3, 4)]
    with pytest.raises(errors.TimeoutError):
        with_key(cast(Reader, Leaving()), "t", dead, b"k", None)
