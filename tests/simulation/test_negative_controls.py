"""The simulation must notice an engine that is broken on purpose, or its silence means nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from tapemq_broker.core import effects as e
from tapemq_broker.core.broker import Broker
from tapemq_broker.core.queue.queues import Queues
from tapemq_broker.core.results import Settled
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.observer import ProducersObserver
from tapemq_broker.storage import recovery
from tests.support.simulation.sim_disk import Trouble
from tests.support.simulation.simulation import Simulation

SEEDS_MAX = 60
"""Each of these is caught by one seed in ten at least."""


def is_caught(
    rule: str | None = None,
    break_it: Callable[[Trouble], None] = lambda trouble: None,
    *,
    first: int = 0,
) -> bool:
    """Whether a seed breaks the rule; None: any rule, or the broker itself refuses to go on.

    The first seed to try is one that did when this was written; all others follow.
    """
    for seed in (*range(first, SEEDS_MAX), *range(first)):
        run = Simulation(seed, break_it=break_it).play()
        if rule in run.broken or (rule is None and run.complaint):
            return True
    return False


def test_disk_that_does_not_sync() -> None:
    def break_it(trouble: Trouble) -> None:
        trouble.lies = True

    assert is_caught(None, break_it)


def test_receipts_that_leave_before_the_sync() -> None:
    def break_it(trouble: Trouble) -> None:
        trouble.hurries = True

    assert is_caught("lost", break_it, first=10)


def test_names_of_new_files_that_are_not_synced() -> None:
    def break_it(trouble: Trouble) -> None:
        trouble.forgets_names = True

    assert is_caught(None, break_it, first=1)


def test_producers_forgotten_at_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProducersObserver, "observe", lambda *_: None)
    monkeypatch.setattr(ProducersObserver, "restore", lambda *_: None)
    assert is_caught("duplicate")


def test_failed_syncs_whose_bytes_are_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_it(trouble: Trouble) -> None:
        trouble.forgets = True

    monkeypatch.setattr(recovery, "rewrite", lambda *_: 0)
    monkeypatch.setattr(recovery, "check_again", lambda *_: None)
    assert is_caught(None, break_it, first=4)


def test_acks_that_are_confirmed_before_the_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = Engine._reply_when_durable

    def hurry(engine: Engine, effect: e.ReplyWhenDurable) -> None:
        if isinstance(effect.result, Settled):
            engine.reply(effect.request, effect.result)
        else:
            wait(engine, effect)

    monkeypatch.setattr(Engine, "_reply_when_durable", hurry)
    assert is_caught("settled_again", first=2)


def test_changes_of_groups_that_are_never_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Broker, "take_changes", lambda *_: {})
    assert is_caught("miscounted", first=2)


def test_leases_whose_records_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Queues.lease_sent

    def lose(queues: Queues, delivery: e.DeliverLease, **report: Any) -> e.Effects:
        first = delivery.runs[0][0]
        if first % 10 == 9:
            report["absent"] = [(first, first + 1)]
        return sent(queues, delivery, **report)

    monkeypatch.setattr(Queues, "lease_sent", lose)
    assert is_caught("unworked", first=2)
