import pytest

from tapemq_broker.core.effects import ReadKeys
from tapemq_broker.core.queue import beyond, lanes
from tapemq_broker.core.queue.dead import Dead
from tapemq_broker.core.queue.lease import Run
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.queue.trouble import Place
from tests.support.core.keyed import Keyed
from tests.support.core.unwalked import Unwalked


def test_one_record_of_a_key_at_a_time_in_order() -> None:
    keyed = Keyed("aab-ab-")
    assert keyed.read() == [(0, 7)]
    assert keyed.take() == [0, 2, 3, 6]
    assert keyed.take() == []
    keyed.settle(0, 3, 6)
    assert keyed.take() == [1]
    keyed.settle(1, 2)
    assert keyed.take() == [4, 5]


def test_so_many_of_a_key_as_are_allowed() -> None:
    keyed = Keyed("aaaaa", key_concurrency=2)
    keyed.read()
    assert keyed.take() == [0, 1]
    keyed.settle(1)
    assert keyed.take() == [2]
    assert keyed.take() == []


def test_what_came_back_is_before_others_of_its_key() -> None:
    keyed = Keyed("aab")
    keyed.read()
    assert keyed.take(1) == [0]
    keyed.lanes.give_back(0, 1, 1)
    assert keyed.take(fresh=False) == [0]
    assert keyed.take(fresh=False) == []
    assert keyed.take() == [2]


@pytest.mark.parametrize(("mode", "next_ones"), [("block", []), ("park", [1])])
def test_a_failing_record_blocks_its_key_or_steps_aside(mode: str, next_ones: list[int]) -> None:
    keyed = Keyed("aab", key_failure=mode)
    keyed.read()
    assert keyed.take() == [0, 2]
    keyed.fail(0)
    assert keyed.take() == next_ones
    keyed.retry(0)
    assert keyed.take() == ([0] if mode == "block" else [])
    keyed.settle(*next_ones)
    assert keyed.take() == ([] if mode == "block" else [0])
    keyed.settle(0)
    assert keyed.take() == ([1] if mode == "block" else [])


def test_only_so_many_records_get_a_slot() -> None:
    keyed = Keyed("abcaad", look_ahead=3)
    assert keyed.read() == [(0, 6)]
    assert keyed.take() == [0, 1, 2]
    state, text = keyed.lanes.obstacle() or ("", "")
    assert state == "look_ahead_full"
    assert "3 records are leased or wait for a retry, and 2 are parked behind 1 key;" in text
    assert "from offset 5 on" in text
    keyed.settle(1)
    assert keyed.read() == [(5, 6)]
    assert keyed.take() == [5]


def test_beyond_the_look_ahead_others_go_on_and_nothing_overtakes() -> None:
    keyed = Keyed("aaaaaaabab-", look_ahead=4)
    assert keyed.read() == [(0, 11)]
    assert keyed.take() == [0, 7, 10]
    (remark,) = keyed.lanes.remarks()
    assert "5 records are parked beyond the look-ahead of 4" in remark
    assert "most of all b'a' (5)" in remark
    assert "b'a': 7 wait behind it, from offset 1 on" in (keyed.lanes.obstacle() or ("", ""))[1]
    keyed.settle(7, 10)
    assert keyed.take() == [9]
    order = [0]
    for _ in range(7):
        keyed.settle(order[-1])
        keyed.read()
        order += keyed.take()
    assert order == [0, 1, 2, 3, 4, 5, 6, 8]
    assert keyed.lanes.remarks() == []


@pytest.mark.parametrize(
    ("sets", "asked"), [(256, [(2505, 2506)]), (1, [(1004, 2004), (2004, 2506)])]
)
def test_the_next_of_a_key_is_looked_for(
    sets: int, asked: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beyond, "_SETS", sets)
    keyed = Keyed("aabbb" + "a" * 2500 + "b", look_ahead=3)
    keyed.read()
    assert keyed.take() == [0, 2]
    keyed.settle(2)
    assert keyed.take() == [3]
    keyed.settle(3)
    assert keyed.read() == [(4, 1004)]
    assert keyed.take() == [4]
    keyed.settle(4)
    assert keyed.read() == asked
    assert keyed.take() == [2505]


def test_what_was_asked_and_is_answered_in_part_is_asked_again() -> None:
    keyed = Keyed("aaaabb", look_ahead=2)
    keyed.read()
    assert keyed.take() == [0, 4]
    for offset in (0, 1):
        keyed.settle(offset)
        if offset == 0:
            assert keyed.take() == [1]
    ((effect,),) = [keyed.lanes.wanted()]
    assert isinstance(effect, ReadKeys)
    assert (effect.first, effect.upto) == (2, 6)
    keyed.lanes.keys_read(2, [b"a"])
    assert keyed.take() == [2]
    keyed.settle(2)
    assert keyed.read() == [(3, 6)]
    assert keyed.take() == [3]


def test_what_cannot_be_read_again_is_handed_out_alone() -> None:
    keyed = Keyed("aaaa", look_ahead=1)
    keyed.read()
    assert keyed.take() == [0]
    keyed.settle(0)
    assert keyed.take() == [1]
    keyed.settle(1)
    assert len(keyed.lanes.wanted()) == 1
    keyed.lanes.keys_read(2, [None])
    assert keyed.take() == [2]


def test_what_failed_before_a_start_comes_before_what_is_beyond() -> None:
    keyed = Keyed("aaaaa", look_ahead=2)
    keyed.ledger.trouble(4).place = Place.WAITING
    keyed.read()
    assert keyed.take() == [0]
    keyed.retry(4)
    keyed.settle(0)
    assert keyed.take() == [4]
    keyed.settle(4)
    assert keyed.take() == [1]


def test_a_new_limit_of_a_key_counts_at_once() -> None:
    keyed = Keyed("aaaa", look_ahead=2)
    keyed.read()
    assert keyed.take() == [0]
    keyed.ledger.terms = Terms.of({"key_lanes": True, "key_concurrency": 3, "look_ahead": 3}, 2)
    keyed.lanes.settings_changed()
    assert keyed.take() == [1]
    assert keyed.read() == [(2, 4)]
    assert keyed.take() == [2]


def test_the_key_that_blocks_most_is_named() -> None:
    keyed = Keyed("abbaaa")
    keyed.read()
    assert keyed.lanes.obstacle() is None
    keyed.take()
    state, text = keyed.lanes.obstacle() or ("", "")
    assert state == "blocked_by_key"
    assert "2 keys" in text
    assert "b'a': 3 wait behind it, from offset 3 on" in text


def test_keys_are_read_as_they_are_needed() -> None:
    keyed = Keyed("-" * 2500)
    assert keyed.read() == [(0, 1000)]
    keyed.take(1000)
    assert keyed.read() == [(1000, 2000)]
    assert keyed.lanes.cursor == 2000


def test_less_than_was_asked_is_asked_again() -> None:
    keyed = Keyed("abc")
    assert len(keyed.lanes.wanted()) == 1
    assert keyed.lanes.wanted() == []
    keyed.lanes.keys_read(0, [b"a"])
    assert keyed.read() == [(1, 3)]
    assert keyed.take() == [0, 1, 2]


def test_an_answer_to_what_is_not_asked_any_more_is_dropped() -> None:
    keyed = Keyed("abc")
    keyed.lanes.wanted()
    keyed.lanes.restart()
    keyed.lanes.keys_read(0, [b"a"])
    assert not keyed.lanes.has_ready(fresh=True)


def test_after_a_start_what_failed_blocks_its_key() -> None:
    keyed = Keyed("aab")
    keyed.ledger.trouble(0).place = Place.WAITING
    keyed.read()
    assert keyed.take() == [2]
    keyed.retry(0)
    assert keyed.take() == [0]
    keyed.settle(0)
    assert keyed.take() == [1]


def test_after_a_start_what_failed_is_aside() -> None:
    keyed = Keyed("aab", key_failure="park")
    keyed.ledger.trouble(0).place = Place.WAITING
    keyed.read()
    assert keyed.take() == [1, 2]
    keyed.retry(0)
    assert keyed.take() == []
    keyed.settle(1)
    assert keyed.take() == [0]


def test_a_record_that_is_due_before_it_is_looked_at() -> None:
    keyed = Keyed("ab")
    keyed.ledger.trouble(1)
    keyed.retry(1)
    assert keyed.take() == []
    keyed.read()
    assert keyed.take() == [1]
    assert keyed.take() == [0]


def test_the_key_of_a_record_that_lives_again_is_read_again() -> None:
    keyed = Keyed("aa-")
    keyed.read()
    assert keyed.take() == [0, 2]
    keyed.settle(0, 2)
    assert keyed.take() == [1]
    keyed.ledger.trouble(0).replays = 1
    keyed.ledger.revived.add(0)
    keyed.retry(0)
    assert keyed.read() == [(0, 1)]
    assert keyed.take() == []
    keyed.settle(1)
    assert keyed.take() == [0]


def test_what_lives_again_among_settled_ones_is_read_after_a_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "_READ_RECORDS", 3)
    keyed = Keyed("abcdefghij")
    keyed.ledger.settled.add(1, 10)
    keyed.ledger.bury(7, Dead("r", "", 1, 0, 2, 3, 4))
    keyed.ledger.revive(7, 0).place = Place.READY
    keyed.lanes.restart()
    keyed.lanes.ready(7)  # it was not looked at: the cursor is to come to it
    assert keyed.read() == [(0, 3), (7, 8)]
    assert sorted([*keyed.take(), *keyed.take()]) == [0, 7]


def test_a_lane_that_was_made_anew_while_its_keys_were_read_stays() -> None:
    keyed = Keyed("aaaaaaab", key_failure="park", look_ahead=3)
    keyed.ledger.trouble(6).place = Place.WAITING
    keyed.lanes.restart()
    keyed.read()
    wanted = keyed.lanes.wanted()
    while not wanted:
        keyed.settle(*keyed.take())
        wanted = keyed.lanes.wanted()
    keyed.ledger.gone_below(6)
    keyed.lanes.forget_below(6)
    keyed.retry(6)
    (effect,) = wanted
    assert isinstance(effect, ReadKeys)
    keyed.lanes.keys_read(effect.first, [b"a"] * (effect.upto - effect.first))
    assert keyed.take() == [6]
    keyed.settle(6)


def test_what_is_gone_lets_others_pass() -> None:
    keyed = Keyed("abab--")
    keyed.read()
    keyed.ledger.gone_below(2)
    keyed.lanes.forget_below(2)
    assert keyed.take() == [2, 3, 4, 5]
    assert keyed.lanes.cursor == 6


def test_what_is_gone_is_found_without_looking_at_what_is_left() -> None:
    """Where the oldest records are dropped, some go with each round of syncs."""
    keyed = Keyed("aabaacb")
    keyed.read()
    assert keyed.take(1) == [0]
    keyed.lanes._keys = Unwalked(keyed.lanes._keys)
    keyed.lanes._lanes = Unwalked(keyed.lanes._lanes)
    keyed.ledger.gone_below(4)
    keyed.lanes.forget_below(4)
    assert keyed.take() == [4, 5, 6]
    keyed.settle(4, 5, 6)
    assert not keyed.lanes._lanes


def test_what_is_gone_beyond_the_look_ahead_is_not_looked_for() -> None:
    keyed = Keyed("aaaaaaba", look_ahead=2)
    keyed.read()
    assert keyed.take() == [0, 6]
    keyed.ledger.gone_below(4)
    keyed.lanes.forget_below(4)
    assert "(3)" in keyed.lanes.remarks()[0]
    assert keyed.read() == [(4, 8)]
    assert keyed.take() == [4]
    keyed.ledger.gone_below(8)
    keyed.lanes.forget_below(8)
    assert keyed.lanes.remarks() == []
    assert (keyed.read(), keyed.take()) == ([], [])


def test_what_comes_new_does_not_overtake_what_is_looked_for() -> None:
    keyed = Keyed("aaaa", look_ahead=1)
    keyed.read()
    assert keyed.take() == [0]
    keyed.settle(0)
    assert keyed.take() == [1]
    keyed.settle(1)
    keyed.keys += "aa"
    keyed.ledger.partition.durable_offset = 6
    assert keyed.read() == [(4, 6), (2, 6)]
    assert keyed.take() == [2]


def test_where_keys_cannot_be_read_what_is_ready_goes_on_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "_READ_RECORDS", 2)
    keyed = Keyed("aab")
    (first,) = keyed.lanes.wanted()
    assert isinstance(first, ReadKeys)
    keyed.lanes.keys_read(first.first, [b"a", b"a"])
    (second,) = keyed.lanes.wanted()
    assert isinstance(second, ReadKeys)
    keyed.lanes.keys_unread(second.first, "it is damaged")
    assert keyed.lanes.damage == "it is damaged"
    assert keyed.take() == [0]
    keyed.settle(0)
    assert keyed.take() == [1]
    keyed.settle(1)
    assert keyed.lanes.wanted() == []
    assert keyed.take() == []
    keyed.lanes.restart()
    assert keyed.lanes.damage == ""
    keyed.read()
    assert keyed.take() == [2]


def test_keys_are_read_again_behind_damage_that_retention_removes() -> None:
    keyed = Keyed("ab")
    (effect,) = keyed.lanes.wanted()
    assert isinstance(effect, ReadKeys)
    keyed.lanes.keys_unread(effect.first + 1, "of another read")
    assert keyed.lanes.damage == ""
    keyed.lanes.keys_unread(effect.first, "it is damaged")
    keyed.ledger.gone_below(1)
    keyed.lanes.forget_below(1)
    assert keyed.lanes.damage == ""
    keyed.read()
    assert keyed.take() == [1]
