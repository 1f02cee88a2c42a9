"""Reading a topic as a stream."""

from functools import partial

from tapemq.wire import messages as m
from tapemq.wire.limits import SUBSCRIPTIONS_MAX
from tapemq.wire.names import check_name
from tapemq_broker.core.effects import Effects, Request, SubscriptionKey
from tapemq_broker.core.queue.queues import Queues
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import Done
from tapemq_broker.core.start import Start
from tapemq_broker.core.streams import Streams, Subscribe
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.handlers.lookups import TimeLookups
from tapemq_broker.server.handlers.table import Handler


class StreamHandlers:
    """Subscriptions and their credit."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._streams = engine.core.streams
        self._queues = engine.core.queues
        self._clock = engine.world.clock
        self._lookups = TimeLookups(engine)
        self.table: dict[type, Handler] = {
            m.Subscribe: self._subscribe,
            m.Unsubscribe: self._unsubscribe,
            m.Credit: self._credit,
            m.Release: self._release,
        }

    def _subscribe(
        self, connection: Connection, message: m.Subscribe, request: Request, payload: memoryview
    ) -> None:
        if not self._lookups.is_needed(message.start, message.topic_id, message.group):
            self._begin(message, request, Start(message.start, message.start_value))
            return
        self._lookups.begin(
            connection,
            request,
            message.topic_id,
            message.partitions,
            message.start_value,
            lambda offsets: self._begin(message, request, Start("time", by_time=offsets)),
            message.subscription,
        )

    def _begin(self, message: m.Subscribe, request: Request, start: Start) -> None:
        def subscribe() -> Effects:
            self._check(message, request.session)
            wish = Subscribe(
                key=SubscriptionKey(request.session, message.subscription),
                topic_id=message.topic_id,
                group=message.group,
                member=message.member,
                start=start,
                partitions=message.partitions,
                hold=message.hold,
                credit_records=message.credit_records,
                credit_bytes=message.credit_bytes,
            )
            return self._streams.subscribe(request, wish, self._clock.monotonic())

        if self._engine.sessions.get(request.session) is not None:
            self._engine.execute(request, subscribe)

    def _check(self, message: m.Subscribe, session: int) -> None:
        if self._streams.count(session) + self._queues.count(session) >= SUBSCRIPTIONS_MAX:
            raise Refused(
                "bad_request", f"a connection has at most {SUBSCRIPTIONS_MAX} subscriptions"
            )
        if message.group:
            try:
                check_name("group", message.group)
            except ValueError as error:
                raise Refused("bad_request", str(error)) from None

    def _unsubscribe(
        self, connection: Connection, message: m.Unsubscribe, request: Request, payload: memoryview
    ) -> None:
        key = SubscriptionKey(request.session, message.subscription)
        is_called_off = self._lookups.call_off(connection, message.subscription)
        if key in self._queues:
            # What it settled before that would come again, if this was first.
            cancel = partial(self._queues.cancel, request, key)
            unanswered = self._engine.unanswered

            def leave() -> None:
                unanswered.remove(request.session)
                self._engine.execute(request, cancel)

            unanswered.add(request.session)
            self._engine.settlements.when_done(request.session, leave)
            return
        if is_called_off and key not in self._streams:
            self._engine.reply(request, Done())
            return
        connection.forget_hints(message.subscription)
        self._engine.execute(
            request, lambda: self._streams.unsubscribe(request, key, self._clock.monotonic())
        )

    def _credit(
        self, connection: Connection, message: m.Credit, request: Request, payload: memoryview
    ) -> None:
        key = SubscriptionKey(request.session, message.subscription)
        of: Queues | Streams = self._queues if key in self._queues else self._streams
        self._engine.run(of.credit(key, message.records, message.bytes))

    def _release(
        self, connection: Connection, message: m.Release, request: Request, payload: memoryview
    ) -> None:
        key = SubscriptionKey(request.session, message.subscription)
        self._engine.execute(
            request,
            lambda: self._streams.release(
                request, key, message.partition, message.generation, self._clock.monotonic()
            ),
        )
