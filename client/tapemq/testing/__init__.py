"""The real broker in a test's own process, with a clock that the test moves.

async with tapemq.testing.Broker() as broker, await broker.connect() as client:
    await client.publish("orders", b"...")
    await broker.clock.advance(hours=1)

It is the engine of production, on a disk in memory or on a directory, reached over a socket of the
loopback interface. It needs ``tapemq[broker]``. See ``docs/testing.md``.
"""

from tapemq.testing.broker import Broker, BrokerDied
from tapemq.testing.clock import Clock

__all__ = ["Broker", "BrokerDied", "Clock"]
