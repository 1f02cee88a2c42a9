"""The simulation must notice an engine that is broken on purpose, or its silence means nothing.

For each rule of the checker there is a way to break broker or SDK that breaks this rule.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from tapemq.batch import Columns, LogId, Role, encode_parts
from tapemq.publishing.open_batch import OpenBatch
from tapemq.publishing.outbox import Outbox, Pending
from tapemq.streams.assignment import Assignment
from tapemq.wire import messages as m
from tapemq_broker.core import broker
from tapemq_broker.core import effects as e
from tapemq_broker.core.broker import Broker
from tapemq_broker.core.group import StreamGroup
from tapemq_broker.core.groups import Groups
from tapemq_broker.core.queue.departures import Departures
from tapemq_broker.core.queue.leases import Leases
from tapemq_broker.core.results import Done, PublishResult, Settled
from tapemq_broker.core.topic import Topic
from tapemq_broker.server import retention
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.handlers.publishing import PublishingHandlers
from tapemq_broker.server.observer import ProducersObserver
from tapemq_broker.storage import diagnosis, log, recovery
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.evidence import Behind
from tapemq_broker.storage.flusher import Flusher
from tapemq_broker.storage.state_log import StateLog
from tests.support.simulation import broken, broken_queues, damage_trials, plans
from tests.support.simulation.checker import RULES
from tests.support.simulation.sim_disk import Trouble
from tests.support.simulation.simulation import Run, Simulation

SEEDS_MAX: Final = 60
"""Each of these is noticed by one of so many seeds at least."""

Patch = pytest.MonkeyPatch


def caught(
    catches: Callable[[Run], object],
    break_it: Callable[[Trouble], None] = lambda trouble: None,
    *,
    likely: int = 0,
) -> bool:
    """Whether one of the seeds notices. All are asked, first the one that is ``likely`` to."""
    seeds = sorted(range(SEEDS_MAX), key=lambda seed: seed != likely)
    return any(catches(Simulation(seed, break_it=break_it, rot=False).play()) for seed in seeds)


def answer_before_the_sync(patch: Patch) -> None:
    sync = Trouble.__init__

    def hurry(trouble: Trouble, **options: Any) -> None:
        sync(trouble, **options)
        trouble.hurries = True

    patch.setattr(Trouble, "__init__", hurry)


def name_wrong_offsets(patch: Patch) -> None:
    settle = Pending.settle
    patch.setattr(Pending, "settle", lambda self, part, at, told: settle(self, part, at + 1, told))


def forget_producers_at_a_restart(patch: Patch) -> None:
    patch.setattr(ProducersObserver, "observe", lambda *_: None)
    patch.setattr(ProducersObserver, "restore", lambda *_: None)


def drop_what_need_not_be_durable(patch: Patch) -> None:
    append = PublishingHandlers._append

    def forge(self: PublishingHandlers, message: m.Publish, request: Any, *body: Any) -> None:
        if message.level == 0:
            append(self, message, request, *body)
            return
        log = LogId(message.topic_id, message.partition, Role.DATA)
        engine = self._engine
        engine.reply(request, PublishResult(engine.logs.next_offset(log), False, False, 0))

    patch.setattr(PublishingHandlers, "_append", forge)


def send_batches_backwards(patch: Patch) -> None:
    seal = OpenBatch.seal

    def turn(batch: OpenBatch) -> Columns:
        batch.values.reverse()
        return seal(batch)

    patch.setattr(OpenBatch, "seal", turn)


def spoil_the_last_of_a_batch(patch: Patch) -> None:
    encode = encode_parts

    def spoil(columns: Columns, *numbers: Any, **options: Any) -> Any:
        values = [*columns.values]
        if len(values) > 1:
            values[-1] = b"spoilt"
        return encode(columns._replace(values=values), *numbers, **options)

    patch.setattr("tapemq.publishing.lane.encode_parts", spoil)


def resume(patch: Patch, by: int) -> None:
    """Streams go on elsewhere after they were interrupted."""
    assign = Assignment.assign

    def miss(self: Assignment, message: m.Assigned, known: bool) -> bool:
        goes_on = assign(self, message, known)
        if goes_on and self.position + by >= 0:
            self.position += by
        return goes_on

    patch.setattr(Assignment, "assign", miss)


def forget_some_topics(patch: Patch) -> None:
    put = StateLog.put

    def forget(self: StateLog, changes: Mapping[bytes, bytes | None], now_us: int) -> int:
        return put(self, {key: changes[key] for key in changes if b"extra" not in key}, now_us)

    patch.setattr(StateLog, "put", forget)


def commit_too_much(patch: Patch) -> None:
    commit = Groups.commit

    def go_too_far(self: Groups, *place: Any, offset: int, **claim: Any) -> e.Effects:
        _, _, partition = self._find(*place[1:])
        return commit(self, *place, offset=min(offset + 1, partition.durable_offset), **claim)

    patch.setattr(Groups, "commit", go_too_far)


def drop_nothing(patch: Patch) -> None:
    limits = {"max_records": 5, "overflow": "drop_oldest"}
    patch.setattr(plans, "_LIMIT_CHANCE", 1.0)
    patch.setattr(plans, "_draw_limits", lambda random: limits)
    patch.setattr(broker, "droppable", lambda _topic, partition: partition.first_offset)


def commit_nothing(patch: Patch) -> None:
    patch.setattr(StreamGroup, "committed", lambda *_: None)


def confirm_before_the_sync(patch: Patch) -> None:
    wait = Engine._reply_when_durable

    def hurry(engine: Engine, effect: e.ReplyWhenDurable) -> None:
        if isinstance(effect.result, Settled):
            engine.reply(effect.request, effect.result)
        else:
            wait(engine, effect)

    patch.setattr(Engine, "_reply_when_durable", hurry)


def write_no_changes_of_groups(patch: Patch) -> None:
    patch.setattr(Broker, "take_changes", lambda *_: {})


def agree_to_a_seek(patch: Patch) -> None:
    def agree(self: Groups, request: Any, *place: Any, start: Any, now_us: int) -> e.Effects:
        _, _, partition = self._find(*place)
        start.cursor(partition)
        return [e.ReplyWhenDurable(partition.groups_log, None, request, Done())]

    patch.setattr(Groups, "seek", agree)


def remove_all_but_the_newest(patch: Patch) -> None:
    patch.setattr(
        *(retention, "retained_from"),
        lambda segments, now_us, *, hold_offset, **limits: segments[-1].base_offset,
    )


def stamp_with_a_clock_that_jumps(patch: Patch) -> None:
    follow, check_next = vars(log)["follow"], LogEnd.check

    def untimed(end: LogEnd) -> LogEnd:
        return end._replace(last_append_time_us=0)

    patch.setattr(log, "follow", lambda end, *rest: follow(untimed(end), *rest))
    patch.setattr(LogEnd, "check", lambda end, *rest: check_next(untimed(end), *rest))


def sync_no_more_after_a_while(patch: Patch) -> None:
    begin = Flusher._begin_round

    def stop(self: Flusher[Any]) -> None:
        if self.rounds < 30:
            begin(self)

    patch.setattr(Flusher, "_begin_round", stop)


CONTROLS: Final[dict[str, Callable[[Patch], None]]] = {
    "inconsistent_offset": name_wrong_offsets,
    "duplicate": forget_producers_at_a_restart,
    "lost": answer_before_the_sync,
    "hole": drop_what_need_not_be_durable,
    "phantom": spoil_the_last_of_a_batch,
    "reordered": send_batches_backwards,
    "torn_batch": spoil_the_last_of_a_batch,
    "skip": lambda patch: resume(patch, +1),
    "nonmonotonic": lambda patch: resume(patch, -1),
    "catalog": forget_some_topics,
    "overfull": drop_nothing,
    "removed": remove_all_but_the_newest,
    "hoarded": broken.remove_nothing_by_age,
    "forgotten": broken.forget_producers_of_what_is_removed,
    "backdated": stamp_with_a_clock_that_jumps,
    "undelivered": commit_too_much,
    "redelivered": commit_nothing,
    "position_regression": commit_nothing,
    "position_ahead": commit_too_much,
    "settled_again": confirm_before_the_sync,
    "seek_forgotten": agree_to_a_seek,
    "contended": broken.take_partitions_in_silence,
    "miscounted": write_no_changes_of_groups,
    "hasty": broken_queues.retry_at_once,
    "overtaken": broken_queues.let_others_pass_what_failed,
    "unburied": broken_queues.forget_the_dead,
    "usurped": broken.let_leases_end_early,
    "uncounted": broken.count_no_crashes,
    "undead": broken.let_no_crash_be_the_last,
    "recounted": broken.forget_crashes_at_a_restart,
    "misfiled": broken.bury_without_the_last_failure,
    "unworked": broken_queues.pass_over_leased_records,
    "unrevived": broken_queues.discard_what_is_redriven,
    "undiscarded": broken_queues.redrive_what_is_discarded,
    "unsought": broken_queues.seek_too_far,
    "misreported": broken_queues.count_too_much,
    "misnumbered": broken_queues.tell_of_no_dead,
    "unfired": broken.fire_into_nothing,
    "early": broken.fire_early,
    "late": broken.fire_late,
    "cancelled": broken.cancel_nothing,
    "stuck": sync_no_more_after_a_while,
    "unseen": broken.wake_no_stream_now_and_then,
    "collapsed": broken.stumble_over_what_is_heavy,
    "misspoken": broken.answer_some_twice,
    "leftover": broken.keep_the_tokens_of_who_is_gone,
}
MORE: Final[tuple[tuple[str, Callable[[Patch], None]], ...]] = (
    ("unseen", broken.wake_no_queue_now_and_then),
    ("unseen", broken.resume_no_slow_reader),
    ("hoarded", broken.remove_nothing_by_size),
    ("usurped", broken.take_stale_acks),
    ("usurped", broken.take_stale_commits),
    ("usurped", broken.take_partitions_at_once),
    ("uncounted", broken.try_for_ever),
    ("unburied", broken.forget_who_failed_too_often),
    ("settled_again", broken_queues.redrive_the_one_in_front_too),
    ("unrevived", broken_queues.write_nothing_of_what_lives_again),
    ("unburied", broken_queues.write_nothing_of_what_is_discarded),
    ("miscounted", broken_queues.keep_counts_of_what_lives_again),
    ("unburied", broken_queues.seek_back_past_the_dead),
)
ALONE: Final = ("contended", "undead", "recounted", "misfiled")
"""What these forbid, no other rule notices."""


LIKELY: Final[dict[Callable[[Patch], None], int]] = {
    remove_all_but_the_newest: 1,
    broken.stumble_over_what_is_heavy: 4,
    answer_before_the_sync: 26,
    forget_producers_at_a_restart: 23,
    forget_some_topics: 10,
    broken.remove_nothing_by_age: 3,
    stamp_with_a_clock_that_jumps: 26,
    confirm_before_the_sync: 9,
    agree_to_a_seek: 4,
    broken_queues.retry_at_once: 5,
    broken_queues.let_others_pass_what_failed: 1,
    broken.let_no_crash_be_the_last: 10,
    broken.forget_crashes_at_a_restart: 17,
    broken.fire_late: 16,
    broken.cancel_nothing: 1,
    sync_no_more_after_a_while: 28,
    broken.resume_no_slow_reader: 1,
    broken.take_stale_acks: 5,
    broken_queues.redrive_the_one_in_front_too: 6,
    broken_queues.redrive_what_is_discarded: 8,
    broken_queues.seek_back_past_the_dead: 44,
    broken_queues.seek_too_far: 2,
    broken_queues.write_nothing_of_what_is_discarded: 8,
}
"""The seed that noticed last: with another one first the test takes longer, and finds the same."""


def test_every_rule_has_a_control() -> None:
    assert CONTROLS.keys() == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("rule", CONTROLS)
def test_rule_fires(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    break_it = CONTROLS[rule]
    break_it(monkeypatch)
    assert caught(
        lambda run: set(run.broken) == {rule} if rule in ALONE else rule in run.broken,
        likely=LIKELY.get(break_it, 0),
    )


@pytest.mark.parametrize(("rule", "break_it"), MORE)
def test_rule_fires_in_other_ways(
    rule: str, break_it: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    break_it(monkeypatch)
    assert caught(lambda run: rule in run.broken, likely=LIKELY.get(break_it, 0))


def test_leases_of_consumers_that_are_gone_and_never_end(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Departures, "_lose", lambda *_: iter(()))
    monkeypatch.setattr(Leases, "expired", lambda *_: ())
    # The run breaks off where somebody waits for the lease of one who was killed.
    assert caught(lambda run: "after-killed failed" in run.failure)


def test_queue_groups_whose_hold_is_not_respected(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Topic, "hold_offset", lambda *_: None)
    monkeypatch.setattr(plans, "_draw_retention", lambda _, **__: {"retention_age_s": 1})
    assert caught(
        lambda run: "which is removed" in "".join(run.broken.get("unworked", [])), likely=5
    )


def test_disk_that_does_not_sync() -> None:
    def break_it(trouble: Trouble) -> None:
        trouble.lies = True

    assert caught(lambda run: run.complaint, break_it)


def test_names_of_new_files_that_are_not_synced() -> None:
    def break_it(trouble: Trouble) -> None:
        trouble.forgets_names = True

    assert caught(lambda run: run.complaint, break_it)


def test_failed_syncs_whose_bytes_are_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_it(trouble: Trouble) -> None:
        trouble.forgets = True

    monkeypatch.setattr(recovery, "rewrite", lambda *_: 0)
    monkeypatch.setattr(recovery, "check_again", lambda *_: None)
    assert caught(lambda run: run.complaint, break_it, likely=5)


def test_what_was_sent_and_is_told_as_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outbox, "withdraw", lambda *_: True)
    assert caught(lambda run: "was refused" in "".join(run.broken.get("phantom", [])))


def test_rot_that_is_taken_for_a_torn_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage_trials, "_CHANCE", 1.0)
    monkeypatch.setattr(diagnosis, "look_behind", lambda *_: Behind(None))
    assert caught(lambda run: "in silence" in run.failure, likely=1)
