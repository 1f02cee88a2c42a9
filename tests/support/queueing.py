"""Queues that read from the fake broker, and leases without one."""

from collections.abc import Iterable, Sequence

import tapemq
from tapemq.batch import Columns, Header, Kind, LogId, Role, checksum, encode_body
from tapemq.queues.intake import QueueIntake
from tapemq.queues.leased_record import LeasedRecord
from tapemq.streams.credit import Grant
from tapemq.wire import messages as m
from tapemq.wire.entries import pack_runs
from tests.support.fake_broker import FakeBroker
from tests.support.fake_broker.queues import FakeQueue


class World:
    """A broker with a topic of ten records, and a client of it."""

    def __init__(self, broker: FakeBroker, client: tapemq.Client) -> None:
        self.broker = broker
        self.client = client
        self.topic = broker.topics["t"]

    def queue(self, **options: object) -> tapemq.Queue:
        return self.client.queue("t", **{"group": "g", **options})  # type: ignore[arg-type]

    @property
    def group(self) -> FakeQueue:
        return self.broker.queues.groups[self.topic.topic_id, "g"]

    def acked(self) -> list[int]:
        return self.group.offsets("ack")

    async def settled(self, count: int) -> None:
        """Wait until so many messages were settled, of those that were not lost."""
        while len(self.group.history) < count:
            await self.broker.received(m.Settle, len(self.broker.of(m.Settle)) + 1)


async def take(queue: tapemq.Queue, count: int) -> list[tapemq.Message]:
    """The next messages, none of them settled."""
    messages: list[tapemq.Message] = []
    async for message in queue:
        messages.append(message)
        if len(messages) == count:
            break
    return messages


def batch(base_offset: int, count: int) -> bytes:
    """A batch of records; their values are their offsets."""
    body = encode_body(Columns([b"%d" % n for n in range(base_offset, base_offset + count)]))
    header = Header(
        kind=Kind.DATA,
        flags=0,
        log_id=LogId(1, 0, Role.DATA),
        log_epoch=0,
        record_count=count,
        base_offset=base_offset,
        batch_number=0,
        append_time_us=0,
        durable_upto=0,
        durable_batch=0,
        previous_checksum=0,
        body_length=len(body),
        body_checksum=checksum(body),
    )
    return header.encode()[0] + body


def lease(
    intake: QueueIntake,
    runs: Sequence[tuple[int, int]],
    batches: Iterable[tuple[int, int]],
    lease_id: int = 7,
) -> None:
    """Let the broker lease these runs, with these batches in the payload."""
    payload = b"".join(batch(*one) for one in batches)
    message = m.Leased(1, 0, lease_id, pack_runs(runs), 30_000)
    intake.leased(message, memoryview(payload), 0.0)


def intake(window: tuple[int, int] = (100, 100_000)) -> QueueIntake:
    made = QueueIntake("t", LeasedRecord)
    made.subscribed(1, Grant(*window))
    return made
