"""Commands of a transcript on queue groups."""

from collections.abc import Callable, Iterator
from typing import Any

from tapemq.batch import Columns, LogId, checksum, decode_columns, encode_body
from tapemq_broker.core import effects as e
from tapemq_broker.core.queue.dead_letters import Choice
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.queue.wish import Consume
from tapemq_broker.core.start import Start
from tests.support.core.list_log import ListLog
from tests.support.core.world import World
from tests.support.scenarios.names import Names

_PLENTY = 1 << 20
Token = tuple[int, int, int]


class QueuePlayer:
    """What a player of transcripts knows of queues. Offsets are "3", "0-2" or "0-2,5"."""

    def __init__(self) -> None:
        self._world = World()
        self._names = Names()
        self._leases: dict[tuple[e.SubscriptionKey, int, int], int] = {}

    def _execute(self, what: str, command: Callable[[e.Request], e.Effects]) -> None:
        def named(request: e.Request) -> e.Effects:
            self._names.requests[request.correlation] = what
            return command(request)

        self._world.execute(0, named)

    def _carry_leases(self) -> None:
        """Send what is leased, and read what keys are asked for, until nothing more follows."""
        world, queues = self._world, self._world.core.queues
        while world.leasing or world.asking:
            while world.asking:
                asked = world.asking.popleft()
                keys = _keys(world.logs[asked.log], asked)
                world.run(queues.keys_read(asked.log, asked.group, asked.first, keys))
            if not world.leasing:
                continue
            wish = world.leasing.popleft()
            for offset in (o for first, end in wish.runs for o in range(first, end)):
                self._leases[wish.key, wish.log.partition, offset] = wish.lease_id
            world.run(
                queues.lease_sent(
                    wish,
                    upto=wish.runs[-1][1],
                    size_bytes=0,
                    now=world.now,
                    now_us=world.now_us,
                )
            )

    def _tokens(self, who: str, text: str, partition: str) -> list[Token]:
        """Of offsets, in the leases in which they came last."""
        key, number = self._names.key(who), int(partition)
        return [
            (self._leases.get((key, number, offset), 0), offset, 1)
            for first, end in _runs(text)
            for offset in range(first, end)
        ]

    # Consumers

    def do_consume(
        self,
        who: str,
        topic: str,
        *,
        group: str,
        records: str = str(_PLENTY),
        start: str = "earliest",
        **settings: str,
    ) -> None:
        kind, _, value = start.partition(":")
        wish = Consume(
            key=self._names.key(who),
            topic_id=self._names.topic_id(topic),
            group=group,
            consumer=who,
            start=Start(kind, int(value or 0)),
            credit_records=int(records),
            credit_bytes=_PLENTY,
            settings=settings_of(settings),
        )
        self._execute("consume", lambda request: self._world.core.queues.consume(request, wish))

    def do_ack(self, who: str, offsets: str, partition: str = "0") -> None:
        self._settle(Verb.ACK, who, offsets, partition)

    def do_release_lease(self, who: str, offsets: str, partition: str = "0") -> None:
        self._settle(Verb.RELEASE, who, offsets, partition)

    def do_nack(
        self, who: str, offsets: str, partition: str = "0", delay_ms: str = "", **why: str
    ) -> None:
        delay = int(delay_ms) if delay_ms else None
        self._settle(Verb.NACK, who, offsets, partition, delay_ms=delay, **why)

    def do_reject(self, who: str, offsets: str, partition: str = "0", **why: str) -> None:
        self._settle(Verb.REJECT, who, offsets, partition, **why)

    def _settle(self, verb: Verb, who: str, offsets: str, partition: str, **why: Any) -> None:
        key, tokens = self._names.key(who), self._tokens(who, offsets, partition)
        queues, now_us = self._world.core.queues, self._world.now_us
        self._execute(
            verb.value,
            lambda request: queues.settle(request, key, verb, tokens, now_us=now_us, **why),
        )

    def do_started(self, who: str, offsets: str, partition: str = "0") -> None:
        tokens = self._tokens(who, offsets, partition)
        self._world.core.queues.started(self._names.key(who), tokens)

    def do_extend(self, who: str, offsets: str, ms: str = "0", partition: str = "0") -> None:
        key, tokens = self._names.key(who), self._tokens(who, offsets, partition)
        queues, now = self._world.core.queues, self._world.now
        self._execute(
            "extend",
            lambda request: queues.extend(request, key, tokens, lease_ms=int(ms), now=now),
        )

    # Looking after groups

    def do_alter_queue(self, topic: str, group: str, **settings: str) -> None:
        self._queue_command("alter", topic, group, settings_of(settings))

    def do_explain(self, topic: str, group: str) -> None:
        self._queue_command("explain", topic, group, self._world.now_us)

    def do_queue(self, place: str, group: str) -> None:
        log = self._names.log(place)
        self._queue_command("describe", log, group, log.partition)

    def do_dead(self, place: str, group: str, reason: str = "") -> None:
        log = self._names.log(place)
        self._queue_command("list_dead", log, group, log.partition, reason=reason)

    def do_redrive(self, place: str, group: str, offsets: str = "", **options: str) -> None:
        options = {"rate_per_s": "0"} | options
        self._dead_command("redrive", place, group, offsets, now_us=self._world.now_us, **options)

    def do_discard(self, place: str, group: str, offsets: str = "", **options: str) -> None:
        self._dead_command("discard", place, group, offsets, **options)

    def _dead_command(
        self,
        name: str,
        place: str,
        group: str,
        offsets: str,
        *,
        reason: str = "",
        dry_run: str = "",
        **more: Any,
    ) -> None:
        runs = [] if offsets == "all" else list(_runs(offsets))
        choice = Choice(runs, reason, offsets == "all")
        log = self._names.log(place)
        more = {key: int(value) for key, value in more.items()} | {"dry_run": bool(dry_run)}
        self._queue_command(name, log, group, log.partition, choice, **more)

    def _queue_command(
        self, name: str, of: str | LogId, group: str, *more: Any, **options: Any
    ) -> None:
        topic_id = of.topic_id if isinstance(of, LogId) else self._names.topic_id(of)
        command = getattr(self._world.core.queues, name)
        what = name.replace("_", " ")
        self._execute(what, lambda request: command(request, topic_id, group, *more, **options))

    # Records with keys

    def do_publish_keyed(self, place: str, *records: str) -> None:
        """Each is KEY:VALUE."""
        pairs = [record.partition(":") for record in records]
        keys = [key.encode() for key, _, _ in pairs]
        body = encode_body(Columns([value.encode() for _, _, value in pairs], keys))
        log, core, now_us = self._names.log(place), self._world.core, self._world.now_us
        self._execute(
            "publish",
            lambda request: core.publish(
                request,
                log.topic_id,
                log.partition,
                body,
                body_checksum=checksum(body),
                durable=True,
                now_us=now_us,
            ),
        )


def _keys(log: ListLog, asked: e.ReadKeys) -> list[bytes | None]:
    keys: dict[int, bytes | None] = {}
    for batch in log.batches:
        found = decode_columns(batch.body).keys or [None] * batch.prefix.record_count
        keys |= enumerate(found, batch.base_offset)
    return [keys[offset] for offset in range(asked.first, asked.upto)]


def _runs(text: str) -> Iterator[tuple[int, int]]:
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield int(first), int(last or first) + 1


def settings_of(words: dict[str, str]) -> dict[str, int | str | bool]:
    """Settings as they were typed."""
    return {name: _setting(word) for name, word in words.items()}


def _setting(word: str) -> int | str | bool:
    if word in ("true", "false"):
        return word == "true"
    return int(word) if word.isdigit() else word
