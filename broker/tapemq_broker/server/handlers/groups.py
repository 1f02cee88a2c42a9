"""Groups: positions, and what there is to know of them."""

from tapemq.wire import messages as m
from tapemq_broker.core.effects import Request
from tapemq_broker.core.start import Start
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.handlers.lookups import TimeLookups
from tapemq_broker.server.handlers.table import Handler


class GroupHandlers:
    """Commit, seek, and the groups' catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._groups = engine.core.groups
        self._lookups = TimeLookups(engine)
        self.table: dict[type, Handler] = {
            m.Commit: self._commit,
            m.Seek: self._seek,
            m.ListGroups: self._list,
            m.DescribeGroup: self._describe,
            m.AlterGroup: self._alter,
            m.DeleteGroup: self._delete,
        }

    def _commit(
        self, connection: Connection, message: m.Commit, request: Request, payload: memoryview
    ) -> None:
        self._engine.counters.commits += 1
        self._engine.execute(
            request,
            lambda: self._groups.commit(
                request,
                message.topic_id,
                message.group,
                message.partition,
                generation=message.generation,
                offset=message.offset,
                now_us=self._engine.world.clock.wall_us(),
            ),
        )

    def _seek(
        self, connection: Connection, message: m.Seek, request: Request, payload: memoryview
    ) -> None:
        if message.start != "time":
            self._go(message, request, Start(message.start, message.start_value))
            return
        self._lookups.begin(
            connection,
            request,
            message.topic_id,
            [message.partition],
            message.start_value,
            lambda offsets: self._go(message, request, Start("time", by_time=offsets)),
        )

    def _go(self, message: m.Seek, request: Request, start: Start) -> None:
        self._engine.execute(
            request,
            lambda: self._groups.seek(
                request,
                message.topic_id,
                message.group,
                message.partition,
                start=start,
                now_us=self._engine.world.clock.wall_us(),
            ),
        )

    def _list(
        self, connection: Connection, message: m.ListGroups, request: Request, payload: memoryview
    ) -> None:
        self._engine.execute(
            request, lambda: self._groups.names(request, message.topic_id, message.after)
        )

    def _describe(
        self,
        connection: Connection,
        message: m.DescribeGroup,
        request: Request,
        payload: memoryview,
    ) -> None:
        self._engine.execute(
            request,
            lambda: self._groups.describe(
                request, message.topic_id, message.group, message.partition
            ),
        )

    def _alter(
        self, connection: Connection, message: m.AlterGroup, request: Request, payload: memoryview
    ) -> None:
        self._engine.execute(
            request,
            lambda: self._groups.alter(request, message.topic_id, message.group, hold=message.hold),
        )

    def _delete(
        self, connection: Connection, message: m.DeleteGroup, request: Request, payload: memoryview
    ) -> None:
        self._engine.execute(
            request, lambda: self._groups.delete(request, message.topic_id, message.group)
        )
