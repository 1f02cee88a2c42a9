"""Topics of the fake broker: logs in memory, producers' sequences, groups' cursors."""

from dataclasses import dataclass, field

from tapemq.batch import Header, Kind, LogId, Role, checksum, decode_columns, decode_prefix
from tapemq.wire import errors
from tapemq.wire import messages as m
from tapemq.wire.errors import ErrorKind

APPEND_TIME_US = 1_700_000_000_000_000


class Refused(Exception):
    def __init__(self, kind: ErrorKind, text: str = "as told") -> None:
        super().__init__(text)
        self.failure = m.Failure(kind.code, text)


@dataclass
class Stored:
    """A batch as it rests."""

    base_offset: int
    count: int
    data: bytes

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.count


@dataclass
class ProducerState:
    epoch: int
    expected: int = 0
    recent: dict[int, Stored] = field(default_factory=dict)


@dataclass
class GroupState:
    cursor: int
    generation: int = 0
    seek_epoch: int = 0
    hold: bool = False


class FakePartition:
    def __init__(self, topic_id: int, number: int) -> None:
        self.log_id = LogId(topic_id, number, Role.DATA)
        self.batches: list[Stored] = []
        self.producers: dict[int, ProducerState] = {}
        self.groups: dict[str, GroupState] = {}

    @property
    def next_offset(self) -> int:
        return self.batches[-1].next_offset if self.batches else 0

    def publish(self, body: bytes) -> m.Receipt:
        prefix = decode_prefix(body)
        producer = self.producers.get(prefix.producer_id)
        first, count = prefix.first_sequence, prefix.record_count
        if producer is None or prefix.producer_epoch > producer.epoch:
            if first:
                raise Refused(errors.UNKNOWN_PRODUCER)
            producer = ProducerState(prefix.producer_epoch)
            self.producers[prefix.producer_id] = producer
        if prefix.producer_epoch < producer.epoch:
            raise Refused(errors.FENCED)
        if first in producer.recent:
            stored = producer.recent[first]
            return m.Receipt(stored.base_offset, 0, True, APPEND_TIME_US)
        if first != producer.expected:
            raise Refused(errors.OUT_OF_ORDER if first > producer.expected else errors.BAD_REQUEST)
        stored = self.append(body, count)
        producer.expected += count
        producer.recent[first] = stored
        return m.Receipt(stored.base_offset, 0, False, APPEND_TIME_US)

    def append(self, body: bytes, count: int) -> Stored:
        header = Header(
            kind=Kind.DATA,
            flags=0,
            log_id=self.log_id,
            log_epoch=0,
            record_count=count,
            base_offset=self.next_offset,
            batch_number=len(self.batches),
            append_time_us=APPEND_TIME_US,
            durable_upto=0,
            durable_batch=0,
            previous_checksum=0,
            body_length=len(body),
            body_checksum=checksum(body),
        )
        stored = Stored(self.next_offset, count, header.encode()[0] + body)
        self.batches.append(stored)
        return stored

    @property
    def values(self) -> list[bytes | None]:
        """All values, in order."""
        bodies = (stored.data[88:] for stored in self.batches)
        return [value for body in bodies for value in decode_columns(body).values]

    def start_offset(self, start: str, value: int) -> int:
        if start == "offset" and value > self.next_offset:
            raise Refused(errors.OFFSET_OUT_OF_RANGE)
        return {"earliest": 0, "latest": self.next_offset, "time": 0}.get(start, value)

    def group(self, name: str, start: str, value: int) -> GroupState:
        state = self.groups.get(name)
        if state is None:
            state = self.groups[name] = GroupState(self.start_offset(start, value))
        return state


class FakeTopic:
    def __init__(self, name: str, topic_id: int, partitions: int) -> None:
        self.name = name
        self.topic_id = topic_id
        self.version = 1
        self.settings: dict[str, int | str | bool] = {}
        self.partitions = [FakePartition(topic_id, number) for number in range(partitions)]

    def message(self) -> m.Topic:
        return m.Topic(self.name, self.topic_id, len(self.partitions), self.version, self.settings)

    def grow(self, partitions: int) -> None:
        for number in range(len(self.partitions), partitions):
            self.partitions.append(FakePartition(self.topic_id, number))
