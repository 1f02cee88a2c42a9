"""One connection to the fake broker."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from tapemq.network.exchange import Reply
from tapemq.wire import messages as m
from tapemq.wire.session import Role, Session
from tests.support.fake_broker.topic import FakePartition, FakeTopic


@dataclass
class FakeSubscription:
    """What one subscription reads; ``next`` and ``generation`` by partition."""

    topic: FakeTopic
    request: m.Subscribe
    records: int
    size_bytes: int
    next: dict[int, int]
    generation: dict[int, int]


class FakeSession(asyncio.BufferedProtocol):
    def __init__(self, handle: Callable[["FakeSession", Any, int, bytes], None]) -> None:
        self._handle = handle
        self._now = asyncio.get_running_loop().time
        self._session = Session(Role.BROKER, self._now())
        self._transport: asyncio.Transport | None = None
        self.subscriptions: dict[int, FakeSubscription] = {}
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._session.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self._session.received(nbytes, self._now())
        for message, correlation, payload in self._session.events():
            self._handle(self, message, correlation, bytes(payload))

    def connection_lost(self, error: Exception | None) -> None:
        self._session.close()
        self._transport = None
        if not self.lost.done():
            self.lost.set_result(None)

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def open(self, welcome: m.Welcome) -> None:
        self.send(welcome)
        self._session.open(frame_bytes_max=32 * 1024 * 1024)

    def send(self, message: Any, correlation: int = 0, payload: bytes = b"") -> None:
        if self._transport is not None:
            head = self._session.frame_head(
                message, self._now(), correlation=correlation, payload_bytes=len(payload)
            )
            self._transport.write(head + payload)

    def answer(self, answer: Any, correlation: int) -> None:
        message, payload = answer if isinstance(answer, Reply) else (answer, b"")
        self.send(message, correlation, payload)

    def send_raw(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def pause_reading(self) -> None:
        assert self._transport is not None
        self._transport.pause_reading()

    def cut(self) -> None:
        self._session.close()
        if self._transport is not None:
            self._transport.abort()

    # Deliveries

    def deliver(self) -> None:
        for number, subscription in self.subscriptions.items():
            for partition in tuple(subscription.next):
                self._deliver(number, subscription, subscription.topic.partitions[partition])

    def _deliver(
        self, number: int, subscription: FakeSubscription, partition: FakePartition
    ) -> None:
        where = partition.log_id.partition
        for stored in partition.batches:
            offset = subscription.next[where]
            if subscription.records <= 0 or subscription.size_bytes <= 0:
                return
            if stored.next_offset > offset:
                cost = stored.next_offset - offset
                subscription.records -= cost
                subscription.size_bytes -= len(stored.data)
                subscription.next[where] = stored.next_offset
                self.send(
                    m.Deliver(
                        number,
                        where,
                        subscription.generation[where],
                        offset,
                        stored.next_offset,
                        cost,
                    ),
                    payload=stored.data,
                )
