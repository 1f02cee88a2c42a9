"""Whose batch may be appended before the next round of syncs begins."""

from collections.abc import Callable

from tapemq_broker.server.disk_turns import SMALL_PART, DiskTurns

ROUND = 1000
LITTLE = ROUND // SMALL_PART
MUCH = LITTLE + 1


class Rounds:
    """Says when no round is under way, as a flusher does."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def when_idle(self, callback: Callable[[], None]) -> None:
        self.waiting.append(callback)

    def idle(self) -> None:
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()


def full(rounds: Rounds) -> DiskTurns:
    turns = DiskTurns(ROUND, rounds.when_idle)
    turns.appended(ROUND)
    return turns


def test_who_publishes_much_waits_when_enough_has_gathered() -> None:
    turns = DiskTurns(ROUND, Rounds().when_idle)
    turns.appended(ROUND - 1)
    assert not turns.must_wait(MUCH)
    turns.appended(1)
    assert turns.must_wait(MUCH)
    assert not turns.must_wait(LITTLE)
    turns.round_begins()
    assert not turns.must_wait(MUCH)


async def test_turns_come_one_by_one_in_the_order_of_asking() -> None:
    turns = full(Rounds())
    first, second, third = [turns.wait() for _ in range(3)]
    assert not first.done()
    turns.round_begins()
    assert [turn.done() for turn in (first, second, third)] == [True, False, False]
    turns.appended(ROUND - 1)
    turns.over(first)
    assert [turn.done() for turn in (second, third)] == [True, False]
    turns.appended(1)
    turns.over(second)
    assert not third.done(), "enough has gathered"
    turns.round_begins()
    assert third.done()


async def test_nobody_overtakes_who_waits() -> None:
    turns = full(Rounds())
    first, second = turns.wait(), turns.wait()
    turns.round_begins()
    turns.over(first)
    assert turns.must_wait(MUCH), "it is the second's turn"
    turns.over(second)
    assert not turns.must_wait(MUCH)


async def test_a_turn_that_is_not_used_goes_to_the_next() -> None:
    turns = full(Rounds())
    first, second, third = [turns.wait() for _ in range(3)]
    second.cancel()
    turns.over(second)
    turns.round_begins()
    turns.over(first)  # it was refused: nothing was appended
    assert third.done()


async def test_what_has_gathered_may_go_without_a_round() -> None:
    """Its topic was deleted: the flusher comes to rest without another round."""
    rounds = Rounds()
    turns = full(rounds)
    first, second = turns.wait(), turns.wait()
    assert len(rounds.waiting) == 1
    rounds.idle()
    assert first.done()
    turns.appended(ROUND)
    turns.over(first)
    assert not second.done()
    rounds.idle()
    assert second.done()


async def test_nobody_waits_while_nothing_is_under_way() -> None:
    turns = DiskTurns(ROUND, lambda callback: callback())
    turns.appended(ROUND)
    assert turns.wait().done()
