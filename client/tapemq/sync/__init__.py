"""TapeMQ's SDK without asyncio: the same calls, but blocking.

with tapemq.sync.connect("tapemq://localhost:7077") as client:
    receipt = client.publish("orders", b"...", key="eu.42")

    with client.producer("orders") as producer:
        producer.send(b"...")

    with client.stream("orders", group="analytics", start="earliest") as stream:
        for record in stream:
            print(record.offset, record.value)

    with client.queue("orders", group="billing") as queue:
        for message in queue:
            with message.process():
                print(message.attempt, message.value)

A client may be used from several threads, and after a fork. A queue's leases are renewed by a
thread of the client while handlers are busy. Errors and what calls return are those of ``tapemq``.
"""

from tapemq.sync.client import Client
from tapemq.sync.connecting import connect
from tapemq.sync.message import Message
from tapemq.sync.message_batch import MessageBatch
from tapemq.sync.producer import Producer
from tapemq.sync.queue import Queue
from tapemq.sync.schedules import Schedules
from tapemq.sync.stream import Stream

__all__ = [
    "Client",
    "Message",
    "MessageBatch",
    "Producer",
    "Queue",
    "Schedules",
    "Stream",
    "connect",
]
