from typing import Any

import pytest

from tapemq.sync.beginning import SURVIVAL_S, Beginning
from tests.support.blocking import in_thread, outcome
from tests.support.blocking_queueing import QueueWorld, take


class Clock:
    """All that a beginning asks of what threads share."""

    now = 5.0

    def time(self) -> float:
        return self.now


def over(beginning: Beginning) -> bool:
    """Whether it is, for another thread."""
    return outcome(in_thread(lambda: beginning.is_over))


@pytest.mark.parametrize("how", ["in time", "settled", "lost"])
def test_it_is_over_when_its_handler_has_survived(world: QueueWorld, how: str) -> None:
    clock: Any = Clock()
    with world.queue() as queue:
        (message,) = take(queue, 1)
        beginning = Beginning(clock, message)
        assert beginning.is_over  # for this thread
        assert not over(beginning)
        if how == "in time":
            clock.now += SURVIVAL_S
        elif how == "settled":
            message.ack()
        else:
            world.lose()
        assert over(beginning)


def test_who_waits_looks_again_at_its_end(world: QueueWorld) -> None:
    clock: Any = Clock()
    with world.queue() as queue:
        beginning = Beginning(clock, take(queue, 1)[0])
        assert not beginning.wait(0.0)
        beginning.end()
        assert beginning.wait(0.0)
