"""One frame of each message, as they stand in tests/golden/frames.hex and in protocol.md."""

from typing import NamedTuple
from zlib import crc32

from tapemq.batch import Columns, encode_body
from tapemq.wire import messages as m
from tapemq.wire.entries import pack_runs, pack_tokens
from tapemq.wire.pages import pack_page
from tests.support.golden import read_golden

_BODY = read_golden("batch")["body"]
_BATCH = read_golden("batch")["header"] + _BODY
_TOPIC_ID = 0x5EED
_GROUP = "billing"
_LEASE = 0x3_0000_0001
_ONE = encode_body(
    Columns([b'{"total": 7}']),
    producer_id=0xA1,
    producer_time_us=1_700_000_000_000_000,
)
_DUE_US = 1_700_000_060_000_000
_DEAD = {
    "offset": 1,
    "reason": "attempts",
    "error": "KeyError",
    "failures": 10,
    "crashes": 0,
    "replays": 0,
    "died_us": 1_700_000_000_002_000,
    "first_failure_us": 1_700_000_000_000_000,
    "last_failure_us": 1_700_000_000_001_000,
}
_SCHEDULE = {
    "schedule_id": 1,
    "partition": 0,
    "due_us": _DUE_US,
    "key": b"",
    "cron": "",
    "time_zone": "UTC",
    "every_ms": 0,
    "catch_up": "last",
    "created_us": 1_700_000_000_000_000,
    "fired": 0,
}


class Example(NamedTuple):
    """A message with its correlation and payload."""

    message: m.Message
    correlation: int = 0
    payload: bytes = b""

    @property
    def name(self) -> str:
        """The name of its golden bytes."""
        return type(self.message).__name__


EXAMPLES = (
    Example(m.Hello([1], "tiny 1.0"), 1),
    Example(m.Challenge(b"salt"), 1),
    Example(m.Authenticate(b"proof"), 1),
    Example(
        m.Welcome(
            version=1,
            broker_id=bytes(range(16)),
            boot_epoch=3,
            session=b"token",
            publish_window_bytes=8_388_608,
            frame_bytes_max=4_210_688,
            batch_bytes_max=4_194_304,
            record_bytes_max=1_048_576,
            heartbeat_ms=15_000,
        ),
        1,
    ),
    Example(m.Ping(), 2),
    Example(m.Pong(), 2),
    Example(m.Failure(20, "there is no topic 'order'"), 10),
    Example(m.Bye("done")),
    Example(m.Flow(0, "disk_full", 1000)),
    Example(m.Done(), 8),
    Example(m.CreateTopic("orders", 2, {"retention_ms": 86_400_000}), 3),
    Example(m.DescribeTopic("orders", create=True), 3),
    Example(m.Topic("orders", _TOPIC_ID, 1, 1, {}), 3),
    Example(m.ListTopics(after="invoices"), 4),
    Example(m.Names(["orders", "refunds"]), 4),
    Example(m.AlterTopic("orders", 4), 4),
    Example(m.DeleteTopic("orders"), 4),
    Example(m.DescribePartition(_TOPIC_ID, 0, time_us=1_700_000_000_000_000), 4),
    Example(m.Partition(0, 2, 2, 2, 0, 185, 1_700_000_000_000_500, 0), 4),
    Example(m.BrokerStatus(deadline_ms=1000), 4),
    Example(m.Status("tapemq 0.1.0", 60_000, 1, 2, 2, 0, 10_000_000_000), 4),
    Example(m.OpenProducer(), 4),
    Example(m.Producer(0xA1, 0), 4),
    Example(m.Publish(_TOPIC_ID, 0, crc32(_BODY)), 5, _BODY),
    Example(m.Receipt(0, append_time_us=1_700_000_000_000_500), 5),
    Example(
        m.Subscribe(
            1,
            _TOPIC_ID,
            _GROUP,
            start="earliest",
            member="worker-1",
            credit_records=1000,
            credit_bytes=1_048_576,
        ),
        7,
    ),
    Example(m.Assigned(1, 0, 1, 0)),
    Example(m.Revoke(1, 0, 1, 10_000)),
    Example(m.Release(1, 0, 1), 8),
    Example(m.Deliver(1, 0, 1, 0, 2, 2), 0, _BATCH),
    Example(m.Credit(1, 2, 185)),
    Example(m.Commit(_TOPIC_ID, _GROUP, 0, 1, 2), 8),
    Example(m.Seek(_TOPIC_ID, _GROUP, 0, "time", 1_700_000_000_000_000), 8),
    Example(m.Unsubscribe(1), 9),
    Example(m.Detached(1, 0, 1, 20, "the topic was deleted")),
    Example(m.ListGroups(_TOPIC_ID), 8),
    Example(m.DescribeGroup(_TOPIC_ID, _GROUP, 0), 8),
    Example(m.Group("stream", 2, 0, False, 1, 1, "worker-1", 1_700_000_000_001_000), 8),
    Example(m.AlterGroup(_TOPIC_ID, _GROUP, hold=True), 8),
    Example(m.DeleteGroup(_TOPIC_ID, _GROUP), 8),
    Example(
        m.Consume(
            1,
            _TOPIC_ID,
            _GROUP,
            "worker-1",
            credit_records=100,
            credit_bytes=1_048_576,
            settings={"max_attempts": 5},
        ),
        7,
    ),
    Example(m.Leased(1, 0, _LEASE, pack_runs([(0, 2)]), 30_000), 0, _BATCH),
    Example(m.Settle(1, "ack"), 8, pack_tokens([(_LEASE, 0, 1)])),
    Example(m.Settled(lost=1), 8, pack_tokens([(_LEASE, 0, 1)])),
    Example(m.Started(1), 0, pack_tokens([(_LEASE, 0, 2)])),
    Example(m.Extend(1, 30_000), 9, pack_tokens([(_LEASE, 1, 1)])),
    Example(m.LeaseLost(1, "expired"), 0, pack_tokens([(_LEASE, 1, 1)])),
    Example(m.DescribeQueue(_TOPIC_ID, _GROUP, 0), 8),
    Example(
        m.Queue(
            partition=0,
            ack_floor=1,
            cursor=2,
            visible=2,
            ready=0,
            leased=1,
            retrying=0,
            dead=0,
            settled_above_floor=0,
            consumers=1,
            credit_records=99,
            oldest_unsettled_us=1_700_000_000_000_500,
            settings={"max_attempts": 5},
            acked=1,
        ),
        8,
    ),
    Example(m.AlterQueue(_TOPIC_ID, _GROUP, {"paused": True}), 8),
    Example(m.Explain(_TOPIC_ID, _GROUP), 8),
    Example(m.Explanation("caught_up", ["every record is settled"]), 8),
    Example(m.ListDead(_TOPIC_ID, _GROUP, 0), 8),
    Example(m.DeadPage(), 8, pack_page([_DEAD])),
    Example(m.Redrive(_TOPIC_ID, _GROUP, 0), 8, pack_runs([(1, 1)])),
    Example(m.Discard(_TOPIC_ID, _GROUP, 0, reason="attempts"), 8),
    Example(m.Affected(1), 8),
    Example(m.Schedule(_TOPIC_ID, 0, crc32(_ONE), delay_ms=60_000), 5, _ONE),
    Example(m.Scheduled(1, _DUE_US), 5),
    Example(m.GetSchedule(_TOPIC_ID, 1), 6),
    Example(
        m.ScheduleInfo(1, 0, _DUE_US, b"", "", "UTC", 0, "last", 1_700_000_000_000_000), 6, _ONE
    ),
    Example(m.CancelSchedule(_TOPIC_ID, key=b"reminder 7"), 6),
    Example(m.ListSchedules(_TOPIC_ID), 6),
    Example(m.SchedulePage(False, 1), 6, pack_page([_SCHEDULE])),
)
