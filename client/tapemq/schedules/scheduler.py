"""Scheduling records of one topic."""

import asyncio
import builtins
from functools import partial
from typing import Any, Final, NamedTuple

from tapemq import errors
from tapemq._clock import Clock
from tapemq.batch import checksum
from tapemq.errors import ConnectionLost, Error, IndeterminateError, NotHere, PartitionNotFound
from tapemq.infos import time_of
from tapemq.network.attempt import Attempt
from tapemq.network.connection import Connection
from tapemq.network.link import Link
from tapemq.publishing.item import Item
from tapemq.schedules.due import CatchUp, Due
from tapemq.schedules.receipt import ScheduleReceipt
from tapemq.schedules.slots import Slot, Slots
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tapemq.wire.partitions import levels_of, partition_at, partition_of


class Plan(NamedTuple):
    """When a record comes, and under which key it can be replaced."""

    due: Due = Due()
    key: bytes = b""
    cron: str = ""
    time_zone: str = "UTC"
    every_ms: int = 0
    catch_up: CatchUp = "last"


class Scheduler:
    """A client's way to schedule records of a topic; calls may run beside each other."""

    def __init__(self, link: Link, clock: Clock, topic: str) -> None:
        self.topic: Final = topic
        self._link: Final = link
        self._clock: Final = clock
        self._slots: Final = Slots(link)
        self._route: m.Topic | None = None
        self._next_partition = 0

    async def schedule(
        self, item: Item, partition: int | None, plan: Plan, timeout_s: float
    ) -> ScheduleReceipt:
        """Schedule a record, on as many connections as it takes. Raises Error."""
        state = _State()
        try:
            async with asyncio.timeout(timeout_s), self._slots.taken(timeout_s) as slot:
                while True:
                    target = await self._target(item, partition, timeout_s)
                    body = slot.encode(item, self._clock.wall_us())
                    try:
                        answer = await self._ask(_message(target, body, plan), body, state)
                    except errors.RequestRefused as error:
                        await self._heed(error, slot, state, timeout_s)
                    else:
                        return _receipt(self.topic, target.partition, answer)
        except builtins.TimeoutError:
            raise self._late(state, timeout_s) from None

    def _late(self, state: "_State", timeout_s: float) -> Error:
        within = f"within {timeout_s:g} s{self._link.hindrance()}"
        if state.sent:
            text = f"no receipt from {self.topic} {within}: the record may be scheduled"
            return IndeterminateError(text)
        return errors.TimeoutError(f"a record for {self.topic} could not be scheduled {within}")

    async def _heed(
        self, error: errors.RequestRefused, slot: Slot, state: "_State", timeout_s: float
    ) -> None:
        """Do what a refusal asks for before the next attempt, else raise it."""
        if error.code == wire.STALE_METADATA.name:
            self._route = None
        elif error.code != wire.UNKNOWN_PRODUCER.name:
            raise error
        elif state.uncertain:
            raise IndeterminateError(f"{self.topic}: {error}; the record may be scheduled")
        else:
            slot.restart(await self._slots.open(timeout_s))

    async def _target(self, item: Item, partition: int | None, timeout_s: float) -> "_Target":
        if self._route is None:
            request = m.DescribeTopic(self.topic, create=True)
            self._route = await self._link.call(request, timeout_s)
        count = self._route.partitions
        if partition is None:
            levels = levels_of(self._route.settings)
            number = self._number(item.key, count // levels)
            partition = partition_at(number, levels, item.priority)
        if not 0 <= partition < count:
            raise PartitionNotFound(
                f"topic {self.topic!r} has no partition {partition}: it has {count}, counted from 0"
            )
        return _Target(self._route.topic_id, partition)

    def _number(self, key: bytes | None, partitions: int) -> int:
        """Which one of so many partitions is a key's, or has its turn."""
        if key is not None:
            return partition_of(key, partitions)
        self._next_partition += 1
        return (self._next_partition - 1) % partitions

    async def _ask(self, message: m.Schedule, body: bytes, state: "_State") -> m.Scheduled:
        """Send until it is answered. Raises Error."""
        attempt = Attempt(message, repeatable=True)
        while True:
            connection = await self._link.connected()
            if not await _room(connection, len(body)):
                continue
            state.sent = True
            try:
                answer: m.Scheduled = await _send(connection, message, body)
            except NotHere as error:
                self._link.move(error.address)
            except Error as error:
                state.uncertain |= isinstance(error, ConnectionLost)
                await asyncio.sleep(attempt.pause_s(error))
            else:
                return answer


class _State:
    """What became of a call so far: the record was sent, and an answer was lost."""

    sent = False
    uncertain = False


class _Target(NamedTuple):
    topic_id: int
    partition: int


def _message(target: _Target, body: bytes, plan: Plan) -> m.Schedule:
    return m.Schedule(
        topic_id=target.topic_id,
        partition=target.partition,
        checksum=checksum(body),
        due_us=plan.due.due_us,
        delay_ms=plan.due.delay_ms,
        key=plan.key,
        cron=plan.cron,
        time_zone=plan.time_zone,
        every_ms=plan.every_ms,
        catch_up=plan.catch_up,
    )


def _receipt(topic: str, partition: int, answer: m.Scheduled) -> ScheduleReceipt:
    due = time_of(answer.due_us)
    return ScheduleReceipt(
        topic, partition, answer.schedule_id, due, answer.duplicate, answer.replaced
    )


async def _room(connection: Connection, size_bytes: int) -> bool:
    """Wait until so much may be sent; whether the connection is still there."""
    while connection.is_open and not connection.admits(size_bytes):
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        connection.want_room(room, partial(_resolve, room))
        await asyncio.wait((room, connection.lost), return_when=asyncio.FIRST_COMPLETED)
    return connection.is_open


def _resolve(room: asyncio.Future[None]) -> None:
    if not room.done():
        room.set_result(None)


async def _send(connection: Connection, message: m.Schedule, body: bytes) -> Any:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def answer(result: Any) -> None:
        if future.done():  # the caller has given up
            return
        if isinstance(result, Error):
            future.set_exception(result)
        else:
            future.set_result(result)

    connection.publish(message, [body], answer)
    return await future
