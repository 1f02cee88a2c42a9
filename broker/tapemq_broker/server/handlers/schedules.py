"""Schedules: making, looking up, cancelling and listing them."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from tapemq.wire import messages as m
from tapemq.wire.entries import unpack_times
from tapemq.wire.pages import pack_page
from tapemq_broker.core.effects import Request
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.schedules.schedule import Recurrence, Schedule, body_of
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.flow import Flow
from tapemq_broker.server.handlers.lookups import LOOKUPS_MAX
from tapemq_broker.server.handlers.table import Handler
from tapemq_broker.server.schedules.commands import Job, Name, ScheduleCommands
from tapemq_broker.server.schedules.service import Schedules
from tapemq_broker.server.unanswered import LARGE

_PAGE_ROWS: Final = 64


class ScheduleHandlers:
    """What becomes due later."""

    def __init__(self, engine: Engine, flow: Flow, schedules: Schedules) -> None:
        self._engine: Final = engine
        self._flow: Final = flow
        self._commands: Final = ScheduleCommands(engine, schedules)
        self.table: dict[type, Handler] = {
            m.Schedule: self._schedule,
            m.GetSchedule: self._get,
            m.CancelSchedule: self._cancel,
            m.ListSchedules: self._list,
        }

    def _schedule(
        self, connection: Connection, message: m.Schedule, request: Request, payload: memoryview
    ) -> None:
        refusal = self._flow.admit(connection, request.correlation, len(payload))
        refusal = refusal or _contradiction(message)
        if refusal is not None:
            self._engine.reply(request, refusal)
            return
        recurrence = Recurrence(message.cron, message.time_zone, message.every_ms, message.catch_up)
        due_us = message.due_us
        if not due_us and (message.delay_ms or not message.cron):
            delay_us = (message.delay_ms or message.every_ms) * 1000
            due_us = self._engine.world.clock.wall_us() + delay_us
        self._commands.schedule(
            Job(
                request,
                message.topic_id,
                message.partition,
                bytes(payload),
                message.checksum,
                due_us,
                message.key,
                recurrence,
                unpack_times(message.later_us) or (0,),
            )
        )

    def _get(
        self, connection: Connection, message: m.GetSchedule, request: Request, payload: memoryview
    ) -> None:
        async def get() -> None:
            name = Name(message.schedule_id, message.key)
            found = await self._commands.get(message.topic_id, name)
            body = memoryview(body_of(found.record))
            self._engine.answer(request, _info(found), body)

        self._look(connection, request, get)

    def _cancel(
        self,
        connection: Connection,
        message: m.CancelSchedule,
        request: Request,
        payload: memoryview,
    ) -> None:
        name = Name(message.schedule_id, message.key)
        cancel = partial(self._commands.cancel, request, message.topic_id, name)
        self._look(connection, request, cancel)

    def _list(
        self,
        connection: Connection,
        message: m.ListSchedules,
        request: Request,
        payload: memoryview,
    ) -> None:
        async def list_them() -> None:
            after = (message.after_us, message.after_id)
            page = await self._commands.page(message.topic_id, after, _PAGE_ROWS)
            rows = [_row(schedule) for schedule in page.schedules]
            answer = m.SchedulePage(page.more, page.total)
            self._engine.answer(request, answer, memoryview(pack_page(rows)))

        self._look(connection, request, list_them)

    def _look(
        self, connection: Connection, request: Request, work: Callable[[], Awaitable[None]]
    ) -> None:
        """Do what needs a look into the index, if not too much of it is under way."""
        if connection.lookups >= LOOKUPS_MAX:
            text = f"this connection has {LOOKUPS_MAX} look-ups under way"
            self._engine.reply(request, Refusal("overloaded", text, 1.0))
            return
        connection.lookups += 1
        self._engine.spawn(self._finish_look(connection, request, work))

    async def _finish_look(
        self, connection: Connection, request: Request, work: Callable[[], Awaitable[None]]
    ) -> None:
        try:
            with self._engine.unanswered.counting(request.session, LARGE):
                await self._commands.answering(request, work)
        finally:
            connection.lookups -= 1


def _contradiction(message: m.Schedule) -> Refusal | None:
    if message.due_us and message.delay_ms:
        return Refusal("bad_request", "a schedule has due_us or delay_ms, not both")
    return None


def _info(found: Schedule) -> m.ScheduleInfo:
    recurrence = found.recurrence
    return m.ScheduleInfo(
        schedule_id=found.schedule_id,
        partition=found.partition,
        due_us=found.due_us,
        key=found.key,
        cron=recurrence.cron,
        time_zone=recurrence.time_zone,
        every_ms=recurrence.every_ms,
        catch_up=recurrence.catch_up,
        created_us=found.created_us,
        fired=found.fired,
    )


def _row(schedule: Schedule) -> dict[str, object]:
    return dict(_info(schedule)._asdict())
