"""Reading a topic as a queue: consumers, and what they say of their leases."""

from collections.abc import Sequence
from functools import partial

from tapemq.wire import messages as m
from tapemq.wire.entries import unpack_tokens
from tapemq.wire.limits import DELAY_MS_MAX, SUBSCRIPTIONS_MAX
from tapemq.wire.names import check_name
from tapemq_broker.core.effects import Effects, Reply, ReplyWhenDurable, Request, SubscriptionKey
from tapemq_broker.core.queue.queues import Token, distinct
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.queue.wish import Consume
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import Settled
from tapemq_broker.core.start import Start
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.handlers.lookups import TimeLookups
from tapemq_broker.server.handlers.settling import Settling
from tapemq_broker.server.handlers.table import Handler


class QueueHandlers:
    """Consume, and the verbs. Credit and Unsubscribe are the streams' messages, too."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queues = engine.core.queues
        self._clock = engine.world.clock
        self._lookups = TimeLookups(engine)
        self._settling = Settling(engine)
        self.table: dict[type, Handler] = {
            m.Consume: self._consume,
            m.Settle: self._settle,
            m.Started: self._started,
            m.Extend: self._extend,
        }

    def _consume(
        self, connection: Connection, message: m.Consume, request: Request, payload: memoryview
    ) -> None:
        if not self._lookups.is_needed(message.start, message.topic_id, message.group):
            self._begin(message, request, Start(message.start, message.start_value))
            return
        self._lookups.begin(
            connection,
            request,
            message.topic_id,
            [],
            message.start_value,
            lambda offsets: self._begin(message, request, Start("time", by_time=offsets)),
            message.subscription,
        )

    def _begin(self, message: m.Consume, request: Request, start: Start) -> None:
        def consume() -> Effects:
            self._check(message, request.session)
            wish = Consume(
                key=SubscriptionKey(request.session, message.subscription),
                topic_id=message.topic_id,
                group=message.group,
                consumer=message.consumer,
                start=start,
                credit_records=message.credit_records,
                credit_bytes=message.credit_bytes,
                settings=message.settings,
            )
            return self._queues.consume(request, wish)

        if self._engine.sessions.get(request.session) is not None:
            self._engine.execute(request, consume)

    def _check(self, message: m.Consume, session: int) -> None:
        streams = self._engine.core.streams
        if streams.count(session) + self._queues.count(session) >= SUBSCRIPTIONS_MAX:
            raise Refused(
                "bad_request", f"a connection has at most {SUBSCRIPTIONS_MAX} subscriptions"
            )
        try:
            check_name("group", message.group)
        except ValueError as error:
            raise Refused("bad_request", str(error)) from None

    def _settle(
        self, connection: Connection, message: m.Settle, request: Request, payload: memoryview
    ) -> None:
        tokens = sorted(unpack_tokens(payload))
        try:
            verb = _verb(message.verb)
            _check_ms("delay_ms", message.delay_ms)
        except Refused as refused:
            self._engine.reply(request, refused.refusal)
            return
        settle = partial(self._settle_some, message, request, verb)
        self._settling.start(request, tokens, settle, partial(self._queues.cost, verb))

    def _settle_some(
        self, message: m.Settle, request: Request, verb: Verb, tokens: Sequence[Token]
    ) -> Effects:
        effects = self._queues.settle(
            request,
            SubscriptionKey(request.session, message.subscription),
            verb,
            tokens,
            now_us=self._engine.due_clock.now_us(),
            delay_ms=None if message.by_policy else message.delay_ms,
            reason=message.reason,
            error=message.error,
        )
        settled = sum(count for _, _, count in tokens) - _lost(effects)
        counts = self._engine.counters.settled
        counts[message.verb] = counts.get(message.verb, 0) + settled
        return effects

    def _started(
        self, connection: Connection, message: m.Started, request: Request, payload: memoryview
    ) -> None:
        key = SubscriptionKey(request.session, message.subscription)
        self._queues.started(key, unpack_tokens(payload))

    def _extend(
        self, connection: Connection, message: m.Extend, request: Request, payload: memoryview
    ) -> None:
        key = SubscriptionKey(request.session, message.subscription)
        lease_ms, now = message.lease_ms, self._clock.monotonic()

        def extend(tokens: Sequence[Token]) -> Effects:
            _check_ms("lease_ms", lease_ms)
            return self._queues.extend(request, key, tokens, lease_ms=lease_ms, now=now)

        self._settling.start(request, distinct(unpack_tokens(payload)), extend, lambda token: 1)


def _verb(name: str) -> Verb:
    try:
        return Verb(name)
    except ValueError:
        known = ", ".join(verb.value for verb in Verb)
        raise Refused("bad_request", f"{name!r} is no verb; there are: {known}") from None


def _check_ms(name: str, duration_ms: int) -> None:
    if duration_ms > DELAY_MS_MAX:
        raise Refused("bad_request", f"{name} is {duration_ms}, and at most {DELAY_MS_MAX}")


def _lost(effects: Effects) -> int:
    """Of how many records nothing could be settled."""
    for effect in effects:
        if isinstance(effect, ReplyWhenDurable | Reply) and isinstance(effect.result, Settled):
            return sum(count for _, _, count in effect.result.lost)
    return 0
