from hypothesis import given
from hypothesis import strategies as st

from tapemq.queues.lease import Lease, merge
from tapemq.wire import messages as m
from tapemq.wire.entries import Run, Tokens


def lease(*runs: Run, size_bytes: int = 0, **counts: int) -> Lease:
    return Lease(m.Leased(1, 0, 7, b"", 30_000, **counts), runs, size_bytes, 0.0)


def test_all_of_the_runs_are_held() -> None:
    assert lease(Run(3, 2), Run(9, 1)).held == {3, 4, 9}


def test_a_message_is_settled_once() -> None:
    one = lease(Run(3, 3))
    assert one.take_all([4]) == [4]
    assert one.take_all([4, 9]) == []
    assert sorted(one.take_all(range(10))) == [3, 5]
    assert one.take_all(range(10)) == []


def test_lost_is_what_was_held() -> None:
    one = lease(Run(3, 3))
    one.held.remove(3)
    assert one.lose(range(5)) == 1
    assert one.lose(range(5)) == 0
    assert (sorted(one.held), sorted(one.lost)) == ([5], [4])
    assert one.take_all([4]) == []


def test_any_count_makes_it_a_redelivery() -> None:
    assert not lease(Run(0, 1)).redelivered
    for count in ("failures", "crashes", "deliveries"):
        assert lease(Run(0, 1), **{count: 1}).redelivered


def test_bytes_are_given_back_in_shares_and_in_full() -> None:
    one = lease(Run(0, 3), size_bytes=100)
    shares = []
    for offset in range(3):
        one.held.remove(offset)
        shares.append(one.give_back(1))
    assert shares == [33, 33, 34]
    assert one.give_back(0) == 0


@given(st.sets(st.integers(0, 60)), st.randoms())
def test_merged_entries_name_just_these_offsets(offsets: set[int], random: st.DataObject) -> None:
    shuffled = list(offsets)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    entries = merge(7, shuffled)
    named = [first + i for _, first, records in entries for i in range(records)]
    assert named == sorted(offsets)
    ends = {first + records for _, first, records in entries}
    assert not ends & {first for _, first, _ in entries}  # as few as can be
    assert {lease_id for lease_id, _, _ in entries} <= {7}


def test_one_run_is_one_entry_in_any_order() -> None:
    assert merge(7, [5, 4, 6]) == [Tokens(7, 4, 3)]
