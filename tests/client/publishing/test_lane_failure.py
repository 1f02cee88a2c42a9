"""What is told to those who wait when a lane is given up."""

import pytest

from tapemq.publishing.item import Item
from tapemq.publishing.lane import Lane, LaneOptions
from tapemq.publishing.open_batch import OpenBatch
from tapemq.wire import messages as m


class Waiting:
    def __init__(self) -> None:
        self.batch: OpenBatch | None = None
        self.error: Exception | None = None

    def settle(self, partition: int, offset: int, receipt: m.Receipt) -> None: ...

    def fail(self, error: Exception) -> None:
        self.error = error


def lane() -> Lane:
    return Lane(3, 77, 0, LaneOptions(1000))


def test_failure_reaches_all_that_wait_but_the_confirmed() -> None:
    target = lane()
    waiters = [Waiting() for _ in range(4)]
    sent = []
    for waiter in waiters[:2]:
        target.add(Item(b"", None, b""), 0, 0.0, waiter)
        target.close_open()
        sent.append(target.take(9))
    target.add(Item(b"", None, b""), 0, 0.0, waiters[2])
    target.close_open()
    target.add(Item(b"", None, b""), 0, 0.0, waiters[3])
    target.confirmed(sent[1], 9)
    error, unknown = RuntimeError(), RuntimeError()
    target.fail(error, unknown)
    assert [waiter.error for waiter in waiters] == [unknown, None, error, error]
    assert target.idle


@pytest.mark.parametrize(
    ("answer", "unknown"),
    [
        ("none", [True, True, True]),
        ("lost", [True, True, True]),
        ("later", [False, True, True]),
        ("never, for the second", [True, False, False]),
    ],
)
def test_failure_says_what_may_be_in_the_log(answer: str, unknown: list[bool]) -> None:
    target = lane()
    waiters, sent = [Waiting() for _ in unknown], []
    for waiter in waiters:
        target.add(Item(b"", None, b""), 0, 0.0, waiter)
        target.close_open()
        sent.append(target.take(9))
    if answer in ("lost", "later"):
        target.refused(sent[0], 9, uncertain=answer == "lost")
    told = RuntimeError()
    target.fail(RuntimeError(), told, sent[1] if "second" in answer else None)
    assert [waiter.error is told for waiter in waiters] == unknown
