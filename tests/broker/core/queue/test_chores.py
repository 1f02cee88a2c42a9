from collections.abc import Iterator

import pytest

from tapemq_broker.core.queue import chores
from tapemq_broker.core.queue.chores import Chores


def count(to: list[int], numbers: range, cost: int) -> Iterator[int]:
    for number in numbers:
        to.append(number)
        yield cost


def test_so_much_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "RUNS_AT_ONCE", 6)
    some = Chores()
    done: list[int] = []
    assert not some
    some.add([count(done, range(3), 2), count(done, range(3, 5), 5), count(done, range(5, 6), 1)])
    for expected in (3, 5, 6):
        assert some
        some.step()
        assert done == list(range(expected))
    assert not some


def test_each_step_has_its_own_outcome() -> None:
    some = Chores()
    before = some.outcome, some.effects
    some.step()
    assert some.outcome is not before[0]
    assert some.effects is not before[1]
