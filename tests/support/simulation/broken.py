"""Brokers that are wrong even where nothing goes wrong around them: see the finale's last parts.
And those that miscount attempts, take partitions in silence, or miss the times of schedules.
"""

from dataclasses import replace
from typing import Any, Final

import pytest

from tapemq.wire import messages as m
from tapemq_broker.core import effects as e
from tapemq_broker.core import sharing
from tapemq_broker.core.group import StreamGroup
from tapemq_broker.core.queue import queues
from tapemq_broker.core.queue.dead import Dead
from tapemq_broker.core.queue.leases import Leases
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.policy import Policy
from tapemq_broker.core.queue.settling import Settling
from tapemq_broker.core.queue.trouble import Trouble
from tapemq_broker.core.results import Done, Settled
from tapemq_broker.core.sharing import Sharing
from tapemq_broker.core.streams import Streams
from tapemq_broker.server import retention
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.handlers import publishing
from tapemq_broker.server.observer import ProducersObserver
from tapemq_broker.server.schedules.alarm import Alarm
from tapemq_broker.server.schedules.commands import ScheduleCommands
from tapemq_broker.server.schedules.firing import Firing
from tapemq_broker.server.session_tokens import SessionTokens
from tests.support.simulation import workload

LATE_US: Final = 40_000_000

Patch = pytest.MonkeyPatch


def lose_every_third_call(patch: Patch, of: type) -> None:
    """Readers are not told of more, now and then."""
    visible, calls = vars(of)["visible"], [0]

    def lose(self: Any, *more: Any) -> e.Effects:
        calls[0] += 1
        effects: e.Effects = visible(self, *more) if calls[0] % 3 else []
        return effects

    patch.setattr(of, "visible", lose)


def wake_no_stream_now_and_then(patch: Patch) -> None:
    lose_every_third_call(patch, Streams)


def wake_no_queue_now_and_then(patch: Patch) -> None:
    lose_every_third_call(patch, queues.Queues)


def resume_no_slow_reader(patch: Patch) -> None:
    patch.setattr(Connection, "resume_writing", lambda self: None)


def remove_nothing(patch: Patch, limit: str) -> None:
    decide = vars(retention)["retained_from"]
    patch.setattr(
        *(retention, "retained_from"),
        lambda *log, **limits: decide(*log, **{**limits, limit: None}),
    )


def remove_nothing_by_age(patch: Patch) -> None:
    remove_nothing(patch, "max_age_us")


def remove_nothing_by_size(patch: Patch) -> None:
    remove_nothing(patch, "max_bytes")


def forget_producers_of_what_is_removed(patch: Patch) -> None:
    restore = ProducersObserver.restore
    patch.setattr(ProducersObserver, "restore", lambda self, _: restore(self, None))


def let_leases_end_early(patch: Patch) -> None:
    expired = Leases.expired
    patch.setattr(Leases, "expired", lambda self, now: expired(self, now + 0.3))


def take_stale_acks(patch: Patch) -> None:
    patch.setattr(queues, "Settled", lambda _lost: Settled([]))


def take_stale_commits(patch: Patch) -> None:
    patch.setattr(StreamGroup, "check_claim", lambda *_: None)


def take_partitions_in_silence(patch: Patch) -> None:
    def take(self: Sharing, topic: Any, group: Any, number: int, now: float, _: Any) -> None:
        claim = group.claims[number]
        claim.revoked = True
        place = topic.info.topic_id, group.name, number, claim.generation
        self._revoked.append(sharing._Revoked(now + self._revoke_deadline_s, *place))

    patch.setattr(Sharing, "_revoke", take)


def take_partitions_at_once(patch: Patch) -> None:
    revoke = Sharing._revoke

    def hurry(self: Sharing, topic: Any, group: Any, number: int, now: float, *rest: Any) -> None:
        revoke(self, topic, group, number, now - 10, *rest)

    patch.setattr(Sharing, "_revoke", hurry)


def count_no_crashes(patch: Patch) -> None:
    patch.setattr(Settling, "lost", lambda self, held, _now, out: self.release_all(held, out))


def let_no_crash_be_the_last(patch: Patch) -> None:
    fail = Settling._fail

    def go_on(self: Settling, held: Any, offset: int, why: Any, outcome: Any) -> None:
        policy: Policy = held.group.terms.policy
        most = policy.max_attempts
        object.__setattr__(policy, "max_attempts", 0 if why.crashed else most)
        fail(self, held, offset, why, outcome)
        object.__setattr__(policy, "max_attempts", most)

    patch.setattr(Settling, "_fail", go_on)


def forget_crashes_at_a_restart(patch: Patch) -> None:
    patch.setattr(workload, "_LIVES_S", (0.1, 0.2, 0.4))  # else few consumers crash with records
    decode = Trouble.decode
    patch.setattr(Trouble, "decode", lambda value: replace(decode(value), crashes=0))


def bury_without_the_last_failure(patch: Patch) -> None:
    bury = Ledger.bury

    def forget(self: Ledger, offset: int, dead: Dead) -> None:
        bury(self, offset, dead._replace(failures=max(dead.failures - 1, 0)))

    patch.setattr(Ledger, "bury", forget)


def forget_who_failed_too_often(patch: Patch) -> None:
    die = Settling._die

    def settle(self: Settling, held: Any, offset: int, why: Any, outcome: Any) -> None:
        if why.reason == "failed":
            self.done(held, (offset, offset + 1), outcome)
        else:
            die(self, held, offset, why, outcome)

    patch.setattr(Settling, "_die", settle)


def try_for_ever(patch: Patch) -> None:
    fail = Settling._fail

    def again(self: Settling, held: Any, *rest: Any) -> None:
        policy: Policy = held.group.terms.policy
        object.__setattr__(policy, "max_attempts", 0)
        fail(self, held, *rest)

    patch.setattr(Settling, "_fail", again)


def fire_late(patch: Patch) -> None:
    due_at = Alarm.due_at
    patch.setattr(Alarm, "due_at", lambda self, due_us: due_at(self, due_us and due_us + LATE_US))


def fire_into_nothing(patch: Patch) -> None:
    async def swallow(self: Firing, volume: Any, number: int, body: bytes) -> int | None:
        partition = self._partition(volume, number)
        assert partition is not None
        return self._engine.logs.next_offset(partition.log)

    patch.setattr(Firing, "_append", swallow)


def fire_early(patch: Patch) -> None:
    due_at, look = Alarm.due_at, Alarm._look
    patch.setattr(Alarm, "due_at", lambda self, due_us: due_at(self, max(due_us - 500_000, 0)))
    patch.setattr(
        *(Alarm, "_look"),
        lambda self, index, now_us, without: look(self, index, now_us + 500_000, without),
    )


def cancel_nothing(patch: Patch) -> None:
    async def agree(self: ScheduleCommands, request: Any, topic_id: int, name: Any) -> None:
        self._engine.reply(request, Done())

    patch.setattr(ScheduleCommands, "cancel", agree)


def answer_some_twice(patch: Patch) -> None:
    answer = Engine.answer

    def repeat(engine: Engine, request: e.Request, message: m.Message, *payload: Any) -> None:
        answer(engine, request, message, *payload)
        if isinstance(message, m.Receipt) and message.base_offset % 5 == 0:
            answer(engine, request, message, *payload)

    patch.setattr(Engine, "answer", repeat)


def stumble_over_what_is_heavy(patch: Patch) -> None:
    def stumble(*_: Any) -> None:
        raise RuntimeError("a defect")

    patch.setattr(publishing, "inspect", stumble)


def keep_the_tokens_of_who_is_gone(patch: Patch) -> None:
    patch.setattr(SessionTokens, "forget", lambda *_: None)
