"""A small broker in memory that speaks the wire and misbehaves as told, for tests of the SDK."""

from tests.support.fake_broker.broker import FakeBroker, Reaction
from tests.support.fake_broker.topic import FakePartition, FakeTopic

__all__ = ["FakeBroker", "FakePartition", "FakeTopic", "Reaction"]
