"""Streams that read from the fake broker."""

import tapemq
from tapemq.batch import Columns, encode_body
from tests.support.fake_broker import FakeBroker, FakeTopic


def fill(topic: FakeTopic, *batches: int, partition: int = 0) -> None:
    """Append batches of so many records; the values are their offsets."""
    log = topic.partitions[partition]
    for count in batches:
        first = log.next_offset
        log.append(encode_body(Columns([b"%d" % n for n in range(first, first + count)])), count)


def cursor(broker: FakeBroker, group: str = "g", partition: int = 0) -> int:
    return broker.topics["t"].partitions[partition].groups[group].cursor


class World:
    """A broker with a topic of ten records, and a client of it."""

    def __init__(self, broker: FakeBroker, client: tapemq.Client) -> None:
        self.broker = broker
        self.client = client
        self.topic = broker.topics["t"]

    def reader(self, group: str | None = "g", **options: object) -> tapemq.Stream:
        options = {"start": "earliest", "commit_interval": 1000.0} | options
        return self.client.stream("t", group=group, **options)  # type: ignore[arg-type]


async def read(stream: tapemq.Stream, count: int) -> list[int]:
    """The offsets of the next records, the last of which stays in hand."""
    offsets: list[int] = []
    async for record in stream:
        assert record.value == b"%d" % record.offset
        offsets.append(record.offset)
        if len(offsets) == count:
            break
    return offsets
