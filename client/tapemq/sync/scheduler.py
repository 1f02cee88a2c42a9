"""Scheduling records of one topic without asyncio."""

import builtins
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

from tapemq.errors import Closed, Error, NotHere, RequestRefused
from tapemq.network.attempt import Attempt
from tapemq.publishing.item import Item
from tapemq.schedules.passage import Compass, Passage, Target, check_size, receipt, request
from tapemq.schedules.plan import Plan
from tapemq.schedules.receipt import ScheduleReceipt
from tapemq.schedules.slots import IN_FLIGHT, Slot
from tapemq.sync.connection import Connection
from tapemq.sync.link import Link
from tapemq.sync.promise import Promise
from tapemq.sync.shared import Shared
from tapemq.wire import messages as m
from tapemq.wire.partitions import check_partition


class _Call(NamedTuple):
    """Somebody's call, that is to end in time."""

    passage: Passage
    until: float


class Scheduler:
    """A client's way to schedule records of a topic; any thread may call."""

    def __init__(self, link: Link, shared: Shared, topic: str) -> None:
        self.topic: Final = topic
        self._link: Final = link
        self._shared: Final = shared
        self._compass: Final = Compass(topic)
        self._free: Final[list[Slot]] = []
        # Not a Semaphore: its lock stays taken if it is interrupted, and all wait for ever.
        self._room: Final[queue.SimpleQueue[None]] = queue.SimpleQueue()
        for _ in range(IN_FLIGHT):
            self._room.put(None)

    def schedule(
        self, item: Item, partition: int | None, plan: Plan, timeout_s: float
    ) -> ScheduleReceipt:
        """Schedule a record, on as many connections as it takes. Raises Error."""
        call = _Call(Passage(self.topic), self._shared.time() + timeout_s)
        try:
            return self._schedule(item, check_partition(partition), plan, call)
        except builtins.TimeoutError:
            raise call.passage.late(timeout_s, self._link.hindrance()) from None
        except Closed as error:
            raise call.passage.closed(error) from None

    def _schedule(
        self, item: Item, partition: int | None, plan: Plan, call: _Call
    ) -> ScheduleReceipt:
        with self._slot(call) as slot:
            while True:
                target = self._target(item, partition, call)
                body = slot.encode([item], self._shared.clock.wall_us())
                try:
                    answer = self._ask(request(target, body, plan), body, call)
                except RequestRefused as error:
                    self._heed(error, slot, call)
                else:
                    return receipt(self.topic, target.partition, answer)

    @contextmanager
    def _slot(self, call: _Call) -> Iterator[Slot]:
        """A slot for one schedule. One that did not end well is not used again."""
        try:
            self._room.get(timeout=self._left_s(call))
        except queue.Empty:
            raise builtins.TimeoutError from None
        try:
            slot = self._free_slot() or Slot(self._call(m.OpenProducer(), call))
            yield slot
            slot.settled(1)
            self._free.append(slot)
        finally:
            self._room.put(None)

    def _free_slot(self) -> Slot | None:
        with self._shared.lock:
            return self._free.pop() if self._free else None

    def _target(self, item: Item, partition: int | None, call: _Call) -> Target:
        while True:
            with self._shared.lock:
                if self._compass.route is not None:
                    return self._compass.target(item, partition)
            route = self._call(m.DescribeTopic(self.topic, create=True), call)
            with self._shared.lock:
                self._compass.route = route

    def _heed(self, error: RequestRefused, slot: Slot, call: _Call) -> None:
        """Do what a refusal asks for before the next attempt, else raise it."""
        if call.passage.heed(error):
            slot.restart(self._call(m.OpenProducer(), call))
        else:
            with self._shared.lock:
                self._compass.route = None

    def _call(self, message: m.Message, call: _Call) -> Any:
        return self._link.call(message, self._left_s(call))

    def _ask(self, message: m.Schedule, body: bytes, call: _Call) -> m.Scheduled:
        """Send until it is answered. Raises Error."""
        attempt = Attempt(message, repeatable=True)
        while True:
            answer = self._send(message, body, call)
            self._wait(answer, call)
            try:
                return answer.result()
            except NotHere as error:
                with self._shared.lock, self._shared.turn:
                    self._link.move(error.address)
            except Error as error:
                call.passage.missed(error)
                self._link.rest(min(attempt.pause_s(error), self._left_s(call)))
                if not self._left_s(call):  # once more would not be waited for
                    raise builtins.TimeoutError from None

    def _send(self, message: m.Schedule, body: bytes, call: _Call) -> Promise[m.Scheduled]:
        """Send when there is a connection with room for it."""
        while True:
            connection, change = None, None
            try:
                with self._shared.lock, self._shared.turn:
                    connection = self._link.connected()
                    if connection is not None and connection.admits(len(body)):
                        return _publish(connection, message, body, call)
                    change = self._link.next_change()
                    if connection is not None:
                        connection.want_room(change, len(body), partial(change.resolve, None))
                self._wait(change, call)
                with self._shared.lock, self._shared.turn:
                    if connection and connection.is_open and connection.take_room(change):
                        return _publish(connection, message, body, call)
            finally:
                if change is not None:
                    self._forget(change, connection)

    def _forget(self, change: Promise[None], connection: Connection | None) -> None:
        """Nobody waits for it any more."""
        with self._shared.lock, self._shared.turn:
            self._link.forget_change(change)
            if connection is not None:
                connection.want_no_room(change)

    def _wait(self, promise: Promise[Any], call: _Call) -> None:
        if not promise.wait(self._left_s(call)):
            raise builtins.TimeoutError

    def _left_s(self, call: _Call) -> float:
        return max(0.0, call.until - self._shared.time())


def _publish(
    connection: Connection, message: m.Schedule, body: bytes, call: _Call
) -> Promise[m.Scheduled]:
    """Send on a connection with room for it; to be called under the lock."""
    check_size(body, connection.limits)
    answer: Promise[m.Scheduled] = Promise()
    call.passage.sent = True
    connection.publish(message, [body], answer.settle)
    return answer
