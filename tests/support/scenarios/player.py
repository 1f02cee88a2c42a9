"""Plays the commands of a transcript against the core."""

import shlex
from collections.abc import Iterator
from typing import Any

from tapemq.batch import LogId, Role
from tapemq_broker.core import effects as e
from tapemq_broker.core.start import Start
from tapemq_broker.core.streams import Subscribe
from tests.support.scenarios.names import generation
from tests.support.scenarios.queue_player import QueuePlayer, settings_of
from tests.support.scenarios.wording import Wording

_PLENTY = 1 << 20
_LIMIT_BYTES = 1 << 16


class Player(QueuePlayer):
    """A world, and a method do_<verb> for each command. Arguments are text, as it was typed."""

    def __init__(self) -> None:
        super().__init__()
        self._wording = Wording(self._names)
        self._wishes: dict[e.SubscriptionKey, Subscribe] = {}
        self._generations: dict[tuple[e.SubscriptionKey, int], int] = {}

    def play(self, line: str) -> Iterator[str]:
        """Carry out a command, and the deliveries that follow; what has happened."""
        verb, *words = shlex.split(line)
        options = dict(word.split("=", 1) for word in words if "=" in word)
        command = getattr(self, f"do_{verb}")
        command(*[word for word in words if "=" not in word], **options)
        while self._world.reading or self._world.leasing or self._world.asking:
            if self._world.reading:
                self._world.deliver()
            self._carry_leases()
        for item in self._world.trace:
            if isinstance(item, e.Assign):
                self._generations[item.key, item.partition] = item.generation
            said = self._wording.describe(item)
            if said is not None:
                yield said
        self._world.trace.clear()

    # Topics

    def do_create(self, name: str, partitions: str = "1", **words: str) -> None:
        topic_id, topics = self._names.new_topic(name), self._world.core.topics
        count, settings = int(partitions), settings_of(words)
        self._execute(
            "create",
            lambda request: topics.create(request, name, count, settings, topic_id=topic_id),
        )

    def do_alter(self, name: str, partitions: str) -> None:
        topics = self._world.core.topics
        self._execute("alter", lambda request: topics.alter(request, name, int(partitions), {}))

    def do_delete(self, name: str) -> None:
        self._execute("delete", lambda request: self._world.core.delete_topic(request, name))

    def do_retain(self, place: str, offset: str) -> None:
        self._world.run(self._world.core.truncate(self._names.log(place), int(offset)))

    # Publishing, and the disk

    def do_publish(
        self,
        place: str,
        *values: str,
        producer: str = "0",
        epoch: str = "0",
        sequence: str = "0",
        level: str = "durable",
    ) -> None:
        counted = f" {sequence} of producer {producer}" if producer != "0" else ""
        self._names.requests[self._world.request().correlation + 1] = f"publish{counted}"
        self._world.publish(
            self._names.log(place),
            *[value.encode() for value in values],
            producer=int(producer),
            epoch=int(epoch),
            sequence=int(sequence),
            durable=level == "durable",
        )

    def do_durable(self, place: str, offset: str) -> None:
        self._world.durable(self._names.log(place), int(offset))

    def do_sync(self, what: str = "all") -> None:
        self._world.sync(records=what == "all")

    def do_disk(self, state: str) -> None:
        self._world.disk_full = state == "full"

    def do_crash(self) -> None:
        self._world.crash()

    def do_damage(self, place: str, text: str) -> None:
        self._world.damage[self._names.log(place)] = text

    def do_tick(self, seconds: str) -> None:
        self._world.now += float(seconds.removesuffix("s"))
        self._world.run(self._world.core.tick(self._world.now, self._world.now_us))

    # Reading

    def do_subscribe(
        self,
        who: str,
        topic: str,
        hold: str = "",
        *,
        group: str = "",
        member: str = "",
        start: str = "earliest",
        partitions: str = "",
        records: str = str(_PLENTY),
        size_bytes: str = str(_PLENTY),
    ) -> None:
        kind, _, value = start.partition(":")
        wish = Subscribe(
            key=self._names.key(who),
            topic_id=self._names.topic_id(topic),
            group=group,
            member=member,
            start=Start(kind, int(value or 0)),
            partitions=[int(number) for number in partitions.split(",") if number],
            hold=bool(hold),
            credit_records=int(records),
            credit_bytes=int(size_bytes),
        )
        self._wishes[wish.key] = wish
        streams, now = self._world.core.streams, self._world.now
        self._execute("subscribe", lambda request: streams.subscribe(request, wish, now))

    def do_unsubscribe(self, who: str) -> None:
        key, core, now = self._names.key(who), self._world.core, self._world.now
        if key in core.queues:
            self._execute("unsubscribe", lambda request: core.queues.cancel(request, key))
        else:
            self._execute(
                "unsubscribe", lambda request: core.streams.unsubscribe(request, key, now)
            )

    def do_close(self, who: str) -> None:
        session = self._names.session(who)
        self._world.run(self._world.core.streams.session_closed(session, self._world.now))
        self._world.run(self._world.core.queues.session_closed(session, self._world.now_us))

    def do_credit(self, who: str, records: str, size_bytes: str = str(_LIMIT_BYTES)) -> None:
        key, core = self._names.key(who), self._world.core
        of = core.queues if key in core.queues else core.streams
        self._world.run(of.credit(key, int(records), int(size_bytes)))

    def do_release(self, who: str, partition: str = "0") -> None:
        key, number = self._names.key(who), int(partition)
        held, now = self._generations[key, number], self._world.now
        streams = self._world.core.streams
        self._execute("release", lambda request: streams.release(request, key, number, held, now))

    # Groups

    def do_commit(self, who: str, offset: str, partition: str = "0", **claim: str) -> None:
        """As a member that believes to hold the partition, or with another ``generation``."""
        key, number = self._names.key(who), int(partition)
        wish, own = self._wishes[key], self._generations.get((key, number), 0)
        held = generation(claim["generation"]) if claim else own
        log = LogId(wish.topic_id, number, Role.DATA)
        self._commit(log, wish.group, held, int(offset))

    def do_commit_outside(self, place: str, offset: str, group: str) -> None:
        self._commit(self._names.log(place), group, 0, int(offset))

    def _commit(self, log: LogId, group: str, held: int, offset: int) -> None:
        self._execute(
            "commit",
            lambda request: self._world.core.groups.commit(
                request,
                log.topic_id,
                group,
                log.partition,
                generation=held,
                offset=offset,
                now_us=self._world.now_us,
            ),
        )

    def do_seek(self, place: str, group: str, start: str) -> None:
        log, (kind, _, value) = self._names.log(place), start.partition(":")
        self._group_command(
            "seek",
            log,
            group,
            log.partition,
            start=Start(kind, int(value or 0)),
            now_us=self._world.now_us,
        )

    def do_describe(self, place: str, group: str) -> None:
        log = self._names.log(place)
        self._group_command("describe", log, group, log.partition)

    def do_hold(self, place: str, group: str, hold: str = "on") -> None:
        self._group_command("alter", self._names.log(place), group, hold=hold == "on")

    def do_forget(self, place: str, group: str) -> None:
        self._group_command("delete", self._names.log(place), group)

    def _group_command(self, name: str, log: LogId, group: str, *more: Any, **options: Any) -> None:
        command = getattr(self._world.core.groups, name)
        self._execute(name, lambda request: command(request, log.topic_id, group, *more, **options))
