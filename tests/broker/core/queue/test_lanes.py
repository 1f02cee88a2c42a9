from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq_broker.core.effects import ReadKeys
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue import beyond, lanes
from tapemq_broker.core.queue.lanes import Lanes
from tapemq_broker.core.queue.lease import Run
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.queue.trouble import Place


class Keyed:
    """A supply, and what the log has: a letter for each key, "-" for none."""

    def __init__(self, keys: str, **settings: int | str | bool) -> None:
        self.keys = keys
        partition = Partition(1, 0)
        partition.opened(0, len(keys), len(keys))
        terms = Terms.of({"key_lanes": True, **settings}, 1)
        self.ledger = Ledger("g", partition, terms, 0)
        self.lanes = Lanes(self.ledger)

    def read(self) -> list[Run]:
        """Answer what is wanted, until nothing is; what that was."""
        asked: list[Run] = []
        while wanted := self.lanes.wanted():
            (effect,) = wanted
            assert isinstance(effect, ReadKeys)
            asked.append((effect.first, effect.upto))
            letters = self.keys[effect.first : effect.upto]
            keys = [None if letter == "-" else letter.encode() for letter in letters]
            self.lanes.keys_read(effect.first, keys)
        return asked

    def take(self, limit: int = 1000, *, fresh: bool = True) -> list[int]:
        portion = self.lanes.take(limit, fresh=fresh)
        runs = portion.runs if portion is not None else ()
        return [offset for first, end in runs for offset in range(first, end)]

    def settle(self, *offsets: int) -> None:
        for offset in offsets:
            self.ledger.settle_troubled(offset, offset + 1)
            self.lanes.settled(offset, offset + 1)

    def fail(self, offset: int) -> None:
        self.ledger.trouble(offset).failures += 1
        self.ledger.trouble(offset).place = Place.WITHHELD
        self.lanes.stepped_aside(offset)

    def retry(self, offset: int) -> None:
        self.ledger.troubles[offset].place = Place.READY
        self.lanes.ready(offset)


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


def test_what_is_gone_lets_others_pass() -> None:
    keyed = Keyed("abab--")
    keyed.read()
    keyed.ledger.gone_below(2)
    keyed.lanes.forget_below(2)
    assert keyed.take() == [2, 3, 4, 5]
    assert keyed.lanes.cursor == 6


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


class Workers:
    """Take records and settle them; and see that each key keeps its order, and its limit."""

    def __init__(self, keyed: Keyed, concurrency: int) -> None:
        self.keyed = keyed
        self.concurrency = concurrency
        self.leased: list[int] = []
        self.taken: set[int] = set()

    def publish(self, keys: str) -> None:
        self.keyed.keys += keys
        self.keyed.ledger.partition.durable_offset += len(keys)

    def take(self, limit: int) -> None:
        letters = self.keyed.keys
        for offset in self.keyed.take(limit):
            same = {at for at in range(offset) if letters[at] == letters[offset] != "-"}
            assert same <= self.taken, f"{offset} overtakes {same - self.taken}"
            self.taken.add(offset)
            self.leased.append(offset)
            of_key = [at for at in self.leased if letters[at] == letters[offset] != "-"]
            assert len(of_key) <= self.concurrency

    def settle(self, which: int) -> None:
        if self.leased:
            self.keyed.settle(self.leased.pop(which % len(self.leased)))

    def answer(self, part: int) -> None:
        for wish in self.keyed.lanes.wanted():
            assert isinstance(wish, ReadKeys)
            some = self.keyed.keys[wish.first : wish.first + 1 + part % (wish.upto - wish.first)]
            keys = [None if letter == "-" else letter.encode() for letter in some]
            self.keyed.lanes.keys_read(wish.first, keys)


@pytest.mark.parametrize("sets", [1, 256])
@given(
    look_ahead=st.integers(1, 5),
    concurrency=st.integers(1, 2),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("publish"), st.text("aaab-", min_size=1, max_size=9)),
            st.tuples(st.sampled_from(["settle", "settle", "answer"]), st.integers(0, 9)),
            st.tuples(st.just("take"), st.integers(1, 3)),
        ),
        max_size=60,
    ),
)
def test_keys_keep_their_order_and_none_is_forgotten(
    sets: int, look_ahead: int, concurrency: int, steps: list[tuple[str, Any]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beyond, "_SETS", sets)
        patch.setattr(lanes, "_READ_RECORDS", 3)
        keyed = Keyed("aaaaabab", look_ahead=look_ahead, key_concurrency=concurrency)
        workers = Workers(keyed, concurrency)
        for what, detail in steps:
            getattr(workers, what)(detail)
        for _ in range(len(keyed.keys)):
            keyed.read()
            workers.take(1000)
            workers.settle(0)
        assert len(workers.taken) == len(keyed.keys)
