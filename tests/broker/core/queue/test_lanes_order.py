"""Whatever the order of events, each key keeps its order, and no record is forgotten."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq_broker.core.effects import ReadKeys
from tapemq_broker.core.queue import beyond, lanes
from tests.support.core.keyed import Keyed


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
