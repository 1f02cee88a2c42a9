"""TapeMQ's SDK without asyncio: the same calls, but blocking.

with tapemq.sync.connect("tapemq://localhost:7077") as client:
    receipt = client.publish("orders", b"...", key="eu.42")

    with client.producer("orders") as producer:
        producer.send(b"...")

    with client.stream("orders", group="analytics", start="earliest") as stream:
        for record in stream:
            print(record.offset, record.value)

A client may be used from several threads, and after a fork. Errors and what calls return are those
of ``tapemq``. Queues are read and schedules made with asyncio only.
"""

from tapemq.sync.client import Client, connect
from tapemq.sync.producer import Producer
from tapemq.sync.stream import Stream

__all__ = ["Client", "Producer", "Stream", "connect"]
