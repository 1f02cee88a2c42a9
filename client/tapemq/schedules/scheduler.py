"""Scheduling records of one topic."""

import asyncio
import builtins
from functools import partial
from typing import Any, Final

from tapemq import errors
from tapemq._clock import Clock
from tapemq.errors import Error, NotHere
from tapemq.network.attempt import Attempt
from tapemq.network.connection import Connection
from tapemq.network.link import Link
from tapemq.publishing.item import Item
from tapemq.schedules.passage import Compass, Passage, receipt, request
from tapemq.schedules.plan import Plan
from tapemq.schedules.receipt import ScheduleReceipt
from tapemq.schedules.slots import Slot, Slots
from tapemq.wire import messages as m


class Scheduler:
    """A client's way to schedule records of a topic; calls may run beside each other."""

    def __init__(self, link: Link, clock: Clock, topic: str) -> None:
        self.topic: Final = topic
        self._link: Final = link
        self._clock: Final = clock
        self._slots: Final = Slots(link)
        self._compass: Final = Compass(topic)

    async def schedule(
        self, item: Item, partition: int | None, plan: Plan, timeout_s: float
    ) -> ScheduleReceipt:
        """Schedule a record, on as many connections as it takes. Raises Error."""
        passage = Passage(self.topic)
        try:
            async with asyncio.timeout(timeout_s), self._slots.taken(timeout_s) as slot:
                while True:
                    await self._look_up(timeout_s)
                    target = self._compass.target(item, partition)
                    body = slot.encode(item, self._clock.wall_us())
                    try:
                        answer = await self._ask(request(target, body, plan), body, passage)
                    except errors.RequestRefused as error:
                        await self._heed(error, slot, passage, timeout_s)
                    else:
                        return receipt(self.topic, target.partition, answer)
        except builtins.TimeoutError:
            raise passage.late(timeout_s, self._link.hindrance()) from None

    async def _heed(
        self, error: errors.RequestRefused, slot: Slot, passage: Passage, timeout_s: float
    ) -> None:
        """Do what a refusal asks for before the next attempt, else raise it."""
        if passage.heed(error):
            slot.restart(await self._slots.open(timeout_s))
        else:
            self._compass.route = None

    async def _look_up(self, timeout_s: float) -> None:
        while self._compass.route is None:
            described = m.DescribeTopic(self.topic, create=True)
            self._compass.route = await self._link.call(described, timeout_s)

    async def _ask(self, message: m.Schedule, body: bytes, passage: Passage) -> m.Scheduled:
        """Send until it is answered. Raises Error."""
        attempt = Attempt(message, repeatable=True)
        while True:
            connection = await self._link.connected()
            if not await _room(connection, len(body)):
                continue
            passage.sent = True
            try:
                answer: m.Scheduled = await _send(connection, message, body)
            except NotHere as error:
                self._link.move(error.address)
            except Error as error:
                passage.missed(error)
                await asyncio.sleep(attempt.pause_s(error))
            else:
                return answer


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
