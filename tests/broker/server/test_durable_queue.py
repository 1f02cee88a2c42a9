"""Items wait for their offsets, also for those that are not known yet."""

from tapemq.batch import LogId, Role
from tapemq_broker.server.durable_queue import DurableQueue

LOG = LogId(1, 0, Role.GROUPS)
SISTER = LogId(1, 1, Role.GROUPS)
STRANGER = LogId(2, 0, Role.GROUPS)


def test_items_leave_in_the_order_of_offsets() -> None:
    queue: DurableQueue[str] = DurableQueue()
    for item, offset in (("a", 10), ("b", 20), ("c", 30), ("a again", 10)):
        queue.wait(LOG, offset, item)
    assert queue.release(LOG, 9) == []
    assert queue.release(SISTER, 99) == []
    assert queue.release(LOG, 20) == ["a", "a again", "b"]
    assert not queue.empty
    assert queue.release(LOG, 30) == ["c"]
    assert queue.empty


def test_retries_of_a_whole_flight_leave_in_order_and_cost_no_more_than_their_number() -> None:
    """After a stall of the disk and a reconnect, thousands stand in front of as many: searching
    their places one by one would keep the event loop for minutes."""
    queue: DurableQueue[tuple[int, int]] = DurableQueue()
    for attempt in range(3):
        for offset in range(1, 30_001):
            queue.wait(LOG, offset, (offset, attempt))
    expected = [(offset, attempt) for offset in range(1, 30_001) for attempt in range(3)]
    assert queue.release(LOG, 15_000) == expected[:45_000]
    assert queue.release(LOG, 30_000) == expected[45_000:]
    assert queue.empty


def test_an_item_without_offset_waits_until_it_is_placed() -> None:
    queue: DurableQueue[str] = DurableQueue()
    queue.wait(LOG, None, "a")
    queue.wait(SISTER, None, "b")
    queue.wait(STRANGER, None, "c")
    assert queue.release(LOG, 2**64) == []
    queue.place(1, {LOG: 5, SISTER: 7}.__getitem__)
    assert queue.release(LOG, 4) == []
    assert queue.release(LOG, 5) == ["a"]
    assert queue.release(SISTER, 7) == ["b"]
    assert queue.release(STRANGER, 2**64) == []
    assert not queue.empty


def test_what_is_placed_stands_behind_what_waited_for_less() -> None:
    queue: DurableQueue[str] = DurableQueue()
    queue.wait(LOG, None, "late")
    queue.wait(LOG, 3, "early")
    queue.place(1, lambda log: 4)
    assert queue.release(LOG, 9) == ["early", "late"]


def test_a_removed_log_gives_its_items_back() -> None:
    queue: DurableQueue[str] = DurableQueue()
    queue.wait(LOG, 3, "a")
    queue.wait(LOG, None, "b")
    queue.wait(SISTER, None, "c")
    assert queue.drop(LOG) == ["a", "b"]
    assert queue.drop(LOG) == []
    assert queue.drop(SISTER) == ["c"]
    assert queue.empty
