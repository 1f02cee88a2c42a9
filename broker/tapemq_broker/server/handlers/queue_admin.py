"""Queue groups: looking at them, changing them, and their dead records."""

import asyncio

from tapemq.batch import LogId, Role, read_outline
from tapemq.wire import messages as m
from tapemq.wire.entries import unpack_runs
from tapemq_broker.core.effects import Reply, Request
from tapemq_broker.core.queue.dead_letters import Choice
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import QueueInfo
from tapemq_broker.server import translate
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.handlers.table import Handler
from tapemq_broker.server.unanswered import LARGE
from tapemq_broker.storage.errors import CorruptLog, OffsetOutOfRange


class QueueAdminHandlers:
    """What the command line and the SDK's administrator ask for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queues = engine.core.queues
        self.table: dict[type, Handler] = {
            m.DescribeQueue: self._describe,
            m.AlterQueue: self._alter,
            m.Explain: self._explain,
            m.ListDead: self._list_dead,
            m.Redrive: self._redrive,
            m.Discard: self._discard,
        }

    def _describe(
        self,
        connection: Connection,
        message: m.DescribeQueue,
        request: Request,
        payload: memoryview,
    ) -> None:
        effects = self._engine.core.refusing(
            request,
            lambda: self._queues.describe(
                request, message.topic_id, message.group, message.partition
            ),
        )
        result = effects[0].result if isinstance(effects[0], Reply) else None
        if isinstance(result, QueueInfo) and result.ack_floor < result.visible:
            log_id = LogId(message.topic_id, message.partition, Role.DATA)
            self._engine.spawn(self._tell(request, log_id, result))
        else:
            self._engine.run(effects)

    async def _tell(self, request: Request, log_id: LogId, info: QueueInfo) -> None:
        """Only the log knows how old the oldest record is that is not settled."""
        try:
            log = self._engine.logs.data(log_id)
            offset = max(info.ack_floor, log.first_offset)
            plan = log.plan(offset, upto=log.durable_offset, max_bytes=1)
            with self._engine.unanswered.counting(request.session, LARGE):
                chunk = await asyncio.to_thread(plan.run, True)
        except (KeyError, OffsetOutOfRange):
            chunk = None  # removed meanwhile
        except (CorruptLog, OSError) as error:
            passing = self._engine.shortage.not_read(error)
            self._engine.reply(request, passing or Refusal("storage_failed", str(error)))
            return
        answer = translate.answer(info)
        if chunk is not None and chunk.record_count and isinstance(answer, m.Queue):
            oldest_us = read_outline(chunk.data, 0).append_time_us
            answer = answer._replace(oldest_unsettled_us=oldest_us)
        self._engine.answer(request, answer)

    def _alter(
        self, connection: Connection, message: m.AlterQueue, request: Request, payload: memoryview
    ) -> None:
        self._engine.execute(
            request,
            lambda: self._queues.alter(request, message.topic_id, message.group, message.settings),
        )

    def _explain(
        self, connection: Connection, message: m.Explain, request: Request, payload: memoryview
    ) -> None:
        self._engine.execute(
            request,
            lambda: self._queues.explain(
                request, message.topic_id, message.group, self._engine.due_clock.now_us()
            ),
        )

    def _list_dead(
        self, connection: Connection, message: m.ListDead, request: Request, payload: memoryview
    ) -> None:
        self._engine.execute(
            request,
            lambda: self._queues.list_dead(
                request,
                message.topic_id,
                message.group,
                message.partition,
                after_offset=message.after_offset,
                reason=message.reason,
            ),
        )

    def _redrive(
        self, connection: Connection, message: m.Redrive, request: Request, payload: memoryview
    ) -> None:
        choice = _choice(message, payload)
        self._engine.execute(
            request,
            lambda: self._queues.redrive(
                request,
                message.topic_id,
                message.group,
                message.partition,
                choice,
                now_us=self._engine.due_clock.now_us(),
                rate_per_s=message.rate_per_s,
                dry_run=message.dry_run,
            ),
        )

    def _discard(
        self, connection: Connection, message: m.Discard, request: Request, payload: memoryview
    ) -> None:
        choice = _choice(message, payload)
        self._engine.execute(
            request,
            lambda: self._queues.discard(
                request,
                message.topic_id,
                message.group,
                message.partition,
                choice,
                dry_run=message.dry_run,
            ),
        )


def _choice(message: m.Redrive | m.Discard, payload: memoryview) -> Choice:
    """Which dead records are meant. Raises ProtocolError."""
    entries = unpack_runs(payload)
    runs = [(run.first_offset, run.first_offset + run.records) for run in entries]
    return Choice(runs, message.reason, message.all)
