"""Carries out the core's effects as a server does, but on lists, and only what it is told to."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tapemq.batch import LogId, Role, checksum, decode_prefix
from tapemq_broker.core import effects as e
from tapemq_broker.core.broker import Broker, Limits
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Result, TopicSettings
from tapemq_broker.core.sizes import Sizes
from tapemq_broker.core.topics import CATALOG, entry
from tests.support.bodies import body
from tests.support.core.list_log import Chunk, ListLog, ListState, Value

LIMITS = Limits(
    batch_bytes=1 << 20,
    record_bytes=1 << 16,
    topics=100,
    partitions=100,
    partitions_total=1000,
    groups=100,
    revoke_deadline_s=5.0,
)
FULL = Refusal("disk_full", "the broker's disk is full; nothing was written", 1.0)
GONE = Refusal("unknown_topic", "the topic was deleted")
US = 1_000_000
_SEGMENT_RECORDS = 2


class Answered(NamedTuple):
    """A request got its answer."""

    request: e.Request
    result: Result | Refusal


class Sent(NamedTuple):
    """A delivery was read and sent."""

    wish: e.Deliver
    chunk: Chunk


@dataclass(eq=False)
class _Waiting:
    """What is to be said, or done, when a log is on disk. ``offset`` None: it is changed still."""

    log: LogId
    offset: int | None
    answer: Answered | None = None
    then: Callable[[], e.Effects] | None = None
    request: e.Request | None = None


class World:
    """A core, its logs, and a trace of what happened: effects, Answered and Sent, in order."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self.boots = 0
        self.logs: dict[LogId, ListLog] = {}
        self.states: dict[LogId, ListState] = {CATALOG: ListState()}
        self.damage: dict[LogId, str] = {}
        self.disk_full = False
        self.now = 0.0
        self.trace: list[object] = []
        self.reading: deque[e.Deliver] = deque()
        self.leasing: deque[e.DeliverLease] = deque()
        self.asking: deque[e.ReadKeys] = deque()
        self.changed: dict[LogId, None] = {}
        self.turns: deque[e.Later] = deque()
        # Where logs ended after each write; what was written at once is on disk at once.
        self.journal: deque[dict[LogId, int]] = deque()
        self._correlation = 0
        self._topic_id = 0
        self._waiting: list[_Waiting] = []
        self.core: Broker
        self.start()

    # Starting, and ending badly

    def start(self) -> None:
        """Start a broker on what the logs hold."""
        self.boots += 1
        self.core = Broker(self.boots, self.limits)
        for topic in self.core.topics.load(self.states[CATALOG].entries()):
            for partition in topic.partitions:
                partition.damage = self.damage.get(partition.log, "")
                partition.own_groups_damage = self.damage.get(partition.groups_log, "")
                if not partition.damage:
                    self._open(topic.info.topic_id, partition.number)
        self.run(self.core.loaded())
        self.sync()

    def _open(self, topic_id: int, number: int) -> None:
        partition = self.core.topics.get(topic_id).partitions[number]
        if not partition.groups_damage:
            self.core.load_groups(topic_id, number, self.states[partition.groups_log].entries())
        log = self.logs[partition.log]
        newest = max(log.snapshots, default=0)
        partition.producers.restore(log.snapshots.get(newest))
        for batch in [batch for batch in log.batches if batch.base_offset >= newest]:
            partition.producers.observe(batch.prefix, batch.base_offset, self.now_us)
        partition.opened(log.first_offset, log.next_offset, log.durable_offset)
        self._measure(topic_id)

    def _measure(self, topic_id: int) -> None:
        topic = self.core.topics.get(topic_id)
        limit_bytes = int(topic.info.settings.get("max_bytes", 0))
        for partition in topic.partitions:
            log = self.logs[partition.log]
            partition.sizes = Sizes(limit_bytes, log.landmarks()) if limit_bytes else None

    def crash(self, survivors: int = 0) -> None:
        """Lose all sessions and all memory, and what is not on disk; then start.

        A log whose bit is set in ``survivors`` happens to keep all that was written.
        """
        logs: list[ListLog | ListState] = [*self.states.values(), *self.logs.values()]
        for number, log in enumerate(logs):
            log.crash(keeps_all=bool(survivors >> number & 1))
        for queue in (self.reading, self.leasing, self.asking, self.journal):
            queue.clear()
        self.changed.clear()
        self.turns.clear()
        self._waiting.clear()
        self.start()

    # Carrying out

    @property
    def now_us(self) -> int:
        return int(self.now * US)

    def request(self, session: int = 0) -> e.Request:
        """Whom to answer."""
        self._correlation += 1
        return e.Request(session, self._correlation)

    def execute(self, session: int, command: Callable[[e.Request], e.Effects]) -> e.Request:
        """Carry a command out."""
        request = self.request(session)
        self.run(self.core.refusing(request, lambda: command(request)))
        return request

    def run(self, effects: e.Effects) -> None:
        """Carry effects out, in order; a full disk refuses what is appended, and its answers."""
        refusing = False
        for effect in effects:
            if isinstance(effect, e.Append) and self.disk_full:
                refusing = True
                log = self.logs[effect.log]
                self._roll(effect)
                self.core.append_refused(effect.log, log.next_offset)
            elif refusing and isinstance(effect, e.Reply | e.ReplyWhenDurable):
                self._answer(Answered(effect.request, FULL))
            else:
                if not isinstance(effect, e.Change):  # what it consists of is told
                    self.trace.append(effect)
                self._carry_out(effect)

    def turn(self) -> None:
        """Another turn of the event loop, for what was put off to it."""
        self.run(self.turns.popleft().then())

    def _roll(self, effect: e.Append) -> None:
        """Sometimes a segment begins with a batch; the core knows of it when the snapshot is taken.

        Not with a producer's first one: its epoch would go on fencing though the batch may be
        lost, which is stricter than what the log says.
        """
        log, prefix = self.logs[effect.log], decode_prefix(effect.body)
        last = log.last_of(prefix.producer_id)
        is_first = last is None or last.prefix.producer_epoch != prefix.producer_epoch
        if effect.base_offset % _SEGMENT_RECORDS == 0 and not is_first:
            topic = self.core.topics.get(effect.log.topic_id)
            snapshot = topic.partitions[effect.log.partition].producers.snapshot()
            log.snapshots.setdefault(effect.base_offset, snapshot)

    def _carry_out(self, effect: e.Effect) -> None:
        match effect:
            case e.Append():
                self._roll(effect)
                self.logs[effect.log].append(effect)
                self.journal.append({effect.log: self.logs[effect.log].next_offset})
            case e.PutState():
                self.states[effect.log].changes.append(effect.changes)
                self.journal.append({effect.log: len(self.states[effect.log].changes)})
            case e.Change():
                self.run([*effect.puts, *effect.then()])
            case e.Reply():
                self._answer(Answered(effect.request, effect.result))
            case e.ReplyWhenDurable():
                self._answer_when_durable(effect)
            case e.Deliver():
                self.reading.append(effect)
            case e.DeliverLease():
                self.leasing.append(effect)
            case e.ReadKeys():
                self.asking.append(effect)
            case e.StateChanged():
                self.changed[effect.log] = None
            case e.Later():
                self.turns.append(effect)
            case e.WhenDurable():
                self._wait(_Waiting(effect.log, None, then=effect.then, request=effect.request))
            case e.PrepareTopic():
                self._prepare(effect)
            case e.Reconfigure():
                self._measure(effect.topic.topic_id)
            case e.RemoveTopic():
                self._remove(effect.topic.topic_id)
            case e.TruncateFront():
                log = self.logs[effect.log]
                log.truncate_front(effect.offset)
                self.run(self.core.truncated(effect.log, log.first_offset))

    def _answer(self, answer: Answered) -> None:
        self.trace.append(answer)

    def _answer_when_durable(self, effect: e.ReplyWhenDurable) -> None:
        answer = Answered(effect.request, effect.result)
        self._wait(_Waiting(effect.log, effect.offset, answer))

    def _wait(self, waiting: _Waiting) -> None:
        log = self.states.get(waiting.log) or self.logs[waiting.log]
        # One answer may stand for changes of several logs, which are written together.
        if waiting.offset is None and not self.changed:
            waiting.offset = len(self.states[waiting.log].changes)
        if waiting.offset is not None and waiting.offset <= log.durable_offset:
            self._release(waiting)
        else:
            self._waiting.append(waiting)

    def _release(self, waiting: _Waiting) -> None:
        if waiting.answer is not None:
            self._answer(waiting.answer)
        if waiting.then is not None:
            self.run(waiting.then())

    def _prepare(self, effect: e.PrepareTopic) -> None:
        for number in range(effect.first_partition, effect.topic.partitions):
            self.logs[LogId(effect.topic.topic_id, number, Role.DATA)] = ListLog()
            self.states[LogId(effect.topic.topic_id, number, Role.GROUPS)] = ListState()
        self.run([entry(effect.topic)])
        self.run(self.core.topic_prepared(effect.topic, self.now))
        self._measure(effect.topic.topic_id)

    def _remove(self, topic_id: int) -> None:
        for logs in (self.logs, self.states):
            for log in [log for log in logs if log.topic_id == topic_id]:
                del logs[log]
        gone = [waiting for waiting in self._waiting if waiting.log.topic_id == topic_id != 0]
        self._waiting = [waiting for waiting in self._waiting if waiting not in gone]
        for waiting in gone:
            request = waiting.answer.request if waiting.answer is not None else waiting.request
            if request is not None:
                self._answer(Answered(request, GONE))
        for log in [log for log in self.changed if log.topic_id == topic_id]:
            del self.changed[log]

    # The disk

    def prepare(self) -> None:
        """Write what the core has changed, as is done before a round of syncs begins."""
        ends: dict[LogId, int] = {}
        while self.changed:
            log, _ = self.changed.popitem()
            changes = self.core.take_changes(log)
            self.states[log].changes.append(changes)
            ends[log] = len(self.states[log].changes)
        if ends:
            self.journal.append(ends)
        for waiting in [waiting for waiting in self._waiting if waiting.offset is None]:
            state = self.states[waiting.log]
            waiting.offset = len(state.changes)
            if waiting.offset <= state.durable_offset:  # nothing of this log was changed
                self._waiting.remove(waiting)
                self._release(waiting)

    def durable(self, log: LogId, offset: int) -> None:
        """A log is on disk up to ``offset``."""
        (self.logs.get(log) or self.states[log]).durable_offset = offset
        ready = [
            waiting
            for waiting in self._waiting
            if waiting.log == log and waiting.offset is not None and waiting.offset <= offset
        ]
        self._waiting = [waiting for waiting in self._waiting if waiting not in ready]
        for waiting in ready:
            self._release(waiting)
        self.run(self.core.durable_upto(log, offset))
        self.run(self.core.streams.visible(log, self.core.streams.readers(log)))
        self.run(self.core.queues.visible(log))

    def sync(self, *, records: bool = True) -> None:
        """Everything is on disk; or state alone."""
        self.prepare()
        for log, state in list(self.states.items()):
            if state.durable_offset < len(state.changes):
                self.durable(log, len(state.changes))
        for log, data in list(self.logs.items()) if records else ():
            if data.durable_offset < data.next_offset:
                self.durable(log, data.next_offset)
        catalog = self.states[CATALOG]
        if catalog.durable_offset < len(catalog.changes):  # a group's deletion ends there, too
            self.durable(CATALOG, len(catalog.changes))

    def sync_round(self, writes: int) -> None:
        """A round of syncs, which began when the oldest so many writes were done."""
        ends: dict[LogId, int] = {}
        for _ in range(min(writes, len(self.journal))):
            ends.update(self.journal.popleft())
        for name, end in ends.items():
            written = self.logs.get(name) or self.states.get(name)
            if written is not None and end > written.durable_offset:
                self.durable(name, end)

    def deliver(self) -> Sent | None:
        """Carry out the Deliver that waits longest. None if it is void by now."""
        wish = self.reading.popleft()
        if not self.core.streams.is_wanted(wish):
            return None
        log = self.logs[wish.log]
        if wish.offset < log.first_offset:
            self._delivered(wish, Chunk([], log.first_offset, 0))
            return None
        sent = Sent(wish, log.read(wish))
        self.trace.append(sent)
        self._delivered(wish, sent.chunk)
        return sent

    def _delivered(self, wish: e.Deliver, chunk: Chunk) -> None:
        self.run(
            self.core.streams.delivered(
                wish.key,
                wish.log.partition,
                wish.generation,
                next_offset=chunk.next_offset,
                records=len(chunk.records),
                size_bytes=chunk.size_bytes,
            )
        )

    # Commands that every test needs

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        session: int = 0,
        settings: TopicSettings | None = None,
    ) -> int:
        """Create a topic; its id."""
        self._topic_id += 1
        self.execute(
            session,
            lambda request: self.core.topics.create(
                request, name, partitions, settings or {}, topic_id=self._topic_id
            ),
        )
        return self._topic_id

    def publish(
        self,
        log: LogId,
        *values: Value,
        session: int = 0,
        producer: int = 0,
        epoch: int = 0,
        sequence: int = 0,
        durable: bool = True,
    ) -> e.Request:
        """Publish a batch."""
        data = body(*values, producer=producer, epoch=epoch, sequence=sequence)
        return self.execute(
            session,
            lambda request: self.core.publish(
                request,
                log.topic_id,
                log.partition,
                data,
                body_checksum=checksum(data),
                durable=durable,
                now_us=self.now_us,
            ),
        )

    def answer(self, request: e.Request) -> Result | Refusal | None:
        """The answer to a request; None if there is none yet. Fails if there is more than one."""
        answers = [a for a in self.trace if isinstance(a, Answered) and a.request == request]
        assert len(answers) <= 1
        return answers[0].result if answers else None
