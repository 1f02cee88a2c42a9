"""Takes parcels to the broker, on as many connections as it takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from tapemq import errors
from tapemq._clock import Clock
from tapemq.errors import Closed, ConnectionLost, Error, IndeterminateError, NotHere
from tapemq.network.attempt import Attempt
from tapemq.network.connection import Connection
from tapemq.network.link import Link
from tapemq.schedules.parcel import Parcel, nothing
from tapemq.schedules.passage import check_size
from tapemq.schedules.slots import Slot, Slots
from tapemq.wire import errors as wire
from tapemq.wire import messages as m

_OPEN_S: Final = 60.0
"""To become a producer; who waits for a receipt has a deadline of their own."""


class Stale(Exception):
    """The topic was made anew, or changed: look it up again."""


class Courier:
    """Each parcel goes under an identity of its own, so that a retry is no second schedule."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link: Final = link
        self._clock: Final = clock
        self._slots: Final = Slots(link)

    async def take(self, parcel: Parcel) -> None:
        """Have a parcel scheduled, and resolve it. Raises Stale, Error."""
        async with self._slots.taken(_OPEN_S) as slot:
            while True:
                try:
                    answer = await self._ask(parcel, slot)
                except errors.RequestRefused as error:
                    await self._heed(error, slot, parcel)
                except Closed as error:
                    if parcel.is_uncertain:
                        raise IndeterminateError(f"{error}; the record may be scheduled") from None
                    raise
                else:
                    slot.settled(len(parcel.items))
                    parcel.resolve(answer)
                    return

    async def _heed(self, error: errors.RequestRefused, slot: Slot, parcel: Parcel) -> None:
        """Do what a refusal asks for before the next attempt, else raise it."""
        if error.code == wire.STALE_METADATA.name:
            raise Stale from error
        if parcel.is_uncertain:
            raise IndeterminateError(f"{error}; the record may be scheduled")
        if error.code != wire.UNKNOWN_PRODUCER.name:
            raise error
        slot.restart(await self._slots.open(_OPEN_S))

    async def _ask(self, parcel: Parcel, slot: Slot) -> m.Scheduled:
        """Send until it is answered. Raises Error."""
        body = b""
        while True:
            connection = await self._link.connected()
            async with _room(connection, parcel):
                if not connection.is_open:
                    continue
                if not body:
                    parcel.is_sent = True
                    body = slot.encode(parcel.items, self._clock.wall_us())
                    message = parcel.message(body)
                    attempt = Attempt(message, repeatable=True)
                check_size(body, connection.limits)
                answered = _send(connection, message, body)
            try:
                answer = await answered
            except NotHere as error:
                self._link.move(error.address)
            except Error as error:
                parcel.is_uncertain |= isinstance(error, ConnectionLost)
                await asyncio.sleep(attempt.pause_s(error))
            else:
                return answer


@asynccontextmanager
async def _room(connection: Connection, parcel: Parcel) -> AsyncIterator[None]:
    """Within the block it may be sent, at once, if the connection is still there."""
    if connection.admits(parcel.size_bytes):
        yield
        return
    room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    connection.want_room(room, parcel.size_bytes, partial(_resolve, room))
    parcel.on_less = lambda: connection.want_less_room(room, parcel.size_bytes)
    try:
        await asyncio.wait((room, connection.lost), return_when=asyncio.FIRST_COMPLETED)
        connection.take_room(room)
        yield
    finally:
        parcel.on_less = nothing
        connection.want_no_room(room)  # what was not sent there is for others


def _resolve(room: asyncio.Future[None]) -> None:
    if not room.done():
        room.set_result(None)


def _send(connection: Connection, message: m.Schedule, body: bytes) -> asyncio.Future[m.Scheduled]:
    """Send now; returns what will be the answer."""
    future: asyncio.Future[m.Scheduled] = asyncio.get_running_loop().create_future()

    def answer(result: Any) -> None:
        if future.done():  # nobody waits any more
            return
        if isinstance(result, Error):
            future.set_exception(result)
        else:
            future.set_result(result)

    connection.publish(message, [body], answer)
    return future
