from collections import deque

from tapemq_broker.core.queue.beyond import Beyond
from tapemq_broker.core.queue.lane import Lane


def test_what_waits_for_a_slot() -> None:
    lane = Lane(b"a", 1, deque([1, 2]))
    assert (lane.waiting, lane.has_beyond) == (2, False)
    Beyond().park(lane, 3)
    assert (lane.waiting, lane.has_beyond) == (3, True)
