"""Topics, their partitions, and the broker itself."""

from tapemq.batch import LogId, Role
from tapemq.wire import messages as m
from tapemq.wire.names import check_name
from tapemq_broker.core.effects import Effects, Request
from tapemq_broker.core.refusal import Refused
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.flow import Flow
from tapemq_broker.server.handlers.lookups import TimeLookups
from tapemq_broker.server.handlers.table import Handler
from tapemq_broker.server.identity import Identity


class TopicHandlers:
    """The catalog's messages."""

    def __init__(self, engine: Engine, flow: Flow, identity: Identity) -> None:
        self._engine = engine
        self._flow = flow
        self._lookups = TimeLookups(engine)
        self._topics = engine.core.topics
        self._identity = identity
        self.table: dict[type, Handler] = {
            m.CreateTopic: self._create,
            m.DescribeTopic: self._describe,
            m.ListTopics: self._list,
            m.AlterTopic: self._alter,
            m.DeleteTopic: self._delete,
            m.DescribePartition: self._partition,
            m.BrokerStatus: self._status,
        }

    def _make(self, request: Request, wish: m.CreateTopic, *, or_describe: bool = False) -> Effects:
        try:
            name = check_name("topic", wish.topic)
        except ValueError as error:
            raise Refused("bad_request", str(error)) from None
        return self._topics.create(
            request,
            name,
            wish.partitions,
            wish.settings,
            topic_id=self._engine.world.random.u64(),
            or_describe=or_describe,
        )

    def _create(
        self, connection: Connection, message: m.CreateTopic, request: Request, payload: memoryview
    ) -> None:
        self._engine.execute(request, lambda: self._make(request, message))

    def _describe(
        self,
        connection: Connection,
        message: m.DescribeTopic,
        request: Request,
        payload: memoryview,
    ) -> None:
        if message.create and self._engine.sessions.settings.auto_create_topics:
            wish = m.CreateTopic(message.topic)
            self._engine.execute(request, lambda: self._make(request, wish, or_describe=True))
        else:
            self._engine.execute(request, lambda: self._topics.describe(request, message.topic))

    def _list(
        self, connection: Connection, message: m.ListTopics, request: Request, payload: memoryview
    ) -> None:
        self._engine.execute(request, lambda: self._topics.names(request, message.after))

    def _alter(
        self, connection: Connection, message: m.AlterTopic, request: Request, payload: memoryview
    ) -> None:
        self._engine.execute(
            request,
            lambda: self._topics.alter(
                request, message.topic, message.partitions, message.settings
            ),
        )

    def _delete(
        self, connection: Connection, message: m.DeleteTopic, request: Request, payload: memoryview
    ) -> None:
        self._engine.execute(
            request, lambda: self._engine.core.delete_topic(request, message.topic)
        )

    def _partition(
        self,
        connection: Connection,
        message: m.DescribePartition,
        request: Request,
        payload: memoryview,
    ) -> None:
        if message.time_us:
            self._lookups.begin(
                connection,
                request,
                message.topic_id,
                [message.partition],
                message.time_us,
                lambda offsets: self._tell(message, request, offsets[message.partition]),
            )
        else:
            self._tell(message, request, 0)

    def _tell(self, message: m.DescribePartition, request: Request, time_offset: int) -> None:
        engine = self._engine
        try:
            partition = engine.core.topics.get(message.topic_id).partition(message.partition)
            partition.check_usable()
        except Refused as refused:
            engine.reply(request, refused.refusal)
            return
        log = engine.logs.data(LogId(message.topic_id, message.partition, Role.DATA))
        engine.answer(
            request,
            m.Partition(
                first_offset=max(log.first_offset, partition.first_offset),
                visible_offset=log.durable_offset,
                durable_offset=log.durable_offset,
                next_offset=log.next_offset,
                log_epoch=log.log_epoch,
                size_bytes=log.size_bytes,
                last_append_time_us=log.last_append_time_us,
                time_offset=time_offset,
                dropped=partition.dropped,
            ),
        )

    def _status(
        self,
        connection: Connection,
        message: m.BrokerStatus,
        request: Request,
        payload: memoryview,
    ) -> None:
        engine = self._engine
        uptime_s = engine.world.clock.monotonic() - self._identity.started_at
        engine.answer(
            request,
            m.Status(
                software=self._identity.software,
                uptime_ms=int(uptime_s * 1000),
                topics=len(engine.core.topics),
                connections=len(engine.sessions.by_number),
                records_published=engine.counters.records_published,
                records_delivered=engine.counters.records_delivered,
                disk_free_bytes=self._flow.disk_free_bytes,
                disk_free_min_bytes=self._flow.disk_mark_bytes,
                blocked=self._flow.blocked,
            ),
        )
