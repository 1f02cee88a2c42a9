"""TapeMQ's SDK: publish to and consume from a TapeMQ broker.

async with await tapemq.connect("tapemq://localhost:7077") as client:
    receipt = await client.publish("orders", b"...", key="eu.42")

    async with client.producer("orders") as producer:
        await producer.send(b"...")

    async with client.stream("orders", group="analytics", start="earliest") as stream:
        async for record in stream:
            print(record.offset, record.value)

    async with client.queue("orders", group="billing") as queue:
        async for message in queue:
            async with message.process():
                print(message.attempt, message.value)
"""

from tapemq.batch.extras import Scalar
from tapemq.client import Client
from tapemq.connecting import connect
from tapemq.errors import (
    Closed,
    ConnectionLost,
    CorruptBatch,
    DiskFull,
    Error,
    Fenced,
    Forbidden,
    GroupBusy,
    GroupNotFound,
    IndeterminateError,
    LeaseLost,
    OffsetOutOfRange,
    Overloaded,
    PartitionNotFound,
    PayloadTooLarge,
    ProtocolViolation,
    RequestRefused,
    ScheduleNotFound,
    StorageFailed,
    TimeoutError,  # noqa: A004  (is one, and has its name)
    TopicExists,
    TopicNotFound,
    Unauthenticated,
)
from tapemq.infos import BrokerInfo, GroupInfo, GroupPartition, PartitionInfo, TopicInfo
from tapemq.publishing.choices import Compression
from tapemq.publishing.producer import Producer
from tapemq.publishing.receipt import Durability, Receipt
from tapemq.queues.infos import DeadRecord, Explanation, QueueInfo, QueuePartition
from tapemq.queues.message import Message
from tapemq.queues.message_batch import MessageBatch
from tapemq.queues.outcome import Reject, Retry
from tapemq.queues.queue import Queue
from tapemq.queues.settings import Backoff, QueueSettings
from tapemq.schedules.due import CatchUp
from tapemq.schedules.info import ScheduledRecord, ScheduleInfo
from tapemq.schedules.receipt import ScheduleReceipt
from tapemq.schedules.schedules import Schedules
from tapemq.streams.record import Record
from tapemq.streams.record_batch import RecordBatch
from tapemq.streams.start import Start
from tapemq.streams.stream import Stream
from tapemq.worker.app import App

__all__ = [
    "App",
    "Backoff",
    "BrokerInfo",
    "CatchUp",
    "Client",
    "Closed",
    "Compression",
    "ConnectionLost",
    "CorruptBatch",
    "DeadRecord",
    "DiskFull",
    "Durability",
    "Error",
    "Explanation",
    "Fenced",
    "Forbidden",
    "GroupBusy",
    "GroupInfo",
    "GroupNotFound",
    "GroupPartition",
    "IndeterminateError",
    "LeaseLost",
    "Message",
    "MessageBatch",
    "OffsetOutOfRange",
    "Overloaded",
    "PartitionInfo",
    "PartitionNotFound",
    "PayloadTooLarge",
    "Producer",
    "ProtocolViolation",
    "Queue",
    "QueueInfo",
    "QueuePartition",
    "QueueSettings",
    "Receipt",
    "Record",
    "RecordBatch",
    "Reject",
    "RequestRefused",
    "Retry",
    "Scalar",
    "ScheduleInfo",
    "ScheduleNotFound",
    "ScheduleReceipt",
    "ScheduledRecord",
    "Schedules",
    "Start",
    "StorageFailed",
    "Stream",
    "TimeoutError",
    "TopicExists",
    "TopicInfo",
    "TopicNotFound",
    "Unauthenticated",
    "connect",
]
