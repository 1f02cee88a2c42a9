import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.queue.settled import CHUNK_OFFSETS, Settled, end_of_run

EDGE = CHUNK_OFFSETS
offsets = st.one_of(st.integers(0, 40), st.integers(EDGE - 20, EDGE + 20))
runs = st.tuples(offsets, st.integers(1, 30))


@given(st.sets(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_end_of_run(found: set[int], first: int, size: int) -> None:
    upto = first + size
    expected = next((at for at in range(first, upto) if at not in found), upto)
    assert end_of_run(BitMap(found), first, upto) == expected


@given(st.lists(st.one_of(runs, st.just((0, EDGE - 10)))), offsets)
def test_settled_offsets_are_those_that_were_added(added: list[tuple[int, int]], at: int) -> None:
    settled, model = Settled(), bytearray(2 * EDGE)
    for first, size in added:
        settled.add(first, first + size)
        model[first : first + size] = b"\1" * size
    floor = model.index(0)
    assert settled.floor == floor
    assert settled.count == model.count(1, floor)
    assert (at in settled) == model[at]
    at, end = max(at, floor), max(at, floor) + 50
    free_from, free_until = model.find(0, at, end), model.find(1, at, end)
    assert settled.free_from(at, end) == (end if free_from < 0 else free_from)
    assert settled.free_until(at, end) == (end if free_until < 0 else free_until)
    assert settled.count_below(at) == model.count(1, floor, at)


@given(st.lists(runs), st.lists(runs))
def test_what_is_written_is_what_there_is(
    before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    settled, written = Settled(), dict[int, bytes | None]()
    for part in (before, after):
        for first, size in part:
            settled.add(first, first + size)
        written |= {number: settled.encode(number) for number in settled.changed}
        settled.changed.clear()
    loaded = Settled(settled.floor)
    for number, data in written.items():
        if data is not None:
            loaded.load(number, data)
    assert loaded.count == settled.count
    assert all(
        (at in loaded) == (at in settled) for at in (*range(80), *range(EDGE - 30, EDGE + 60))
    )


def test_a_floor_far_beyond_drops_what_it_passes() -> None:
    settled = Settled()
    settled.add(5, 9)
    settled.add(3 * EDGE, 3 * EDGE + 2)
    settled.changed.clear()
    settled.raise_floor(2 * EDGE)
    assert (settled.count, settled.numbers(), settled.changed) == (2, [3], {0})
    settled.raise_floor(3 * EDGE)
    assert (settled.floor, settled.count, settled.numbers()) == (3 * EDGE + 2, 0, [])


def test_reset_forgets_all_and_says_so() -> None:
    settled = Settled(10)
    settled.add(EDGE + 1, EDGE + 2)
    settled.changed.clear()
    settled.reset(3)
    assert (settled.floor, settled.count, settled.changed) == (3, 0, {1})
    assert settled.encode(1) is None


def test_what_is_beyond_the_end_of_a_log_is_forgotten() -> None:
    settled = Settled()
    for first in (5, EDGE - 2, 2 * EDGE):
        settled.add(first, first + 4)
    settled.changed.clear()
    settled.forget_from(EDGE)
    assert (settled.count, settled.numbers(), settled.changed) == (6, [0], {1, 2})


def test_below_the_floor_nothing_is_added() -> None:
    settled = Settled(10)
    settled.add(3, 8)
    assert (settled.floor, settled.count, settled.changed) == (10, 0, set())


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", BitMap().serialize(), BitMap([CHUNK_OFFSETS]).serialize()]
)
def test_a_chunk_that_makes_no_sense_is_told(data: bytes) -> None:
    with pytest.raises(BadEntry):
        Settled().load(0, data)


def test_runs_of_all_lengths_end_where_they_end() -> None:
    for length in range(40):
        for upto in range(40):
            assert end_of_run(BitMap(range(100, 100 + length)), 100, 100 + upto) == min(
                100 + length, 100 + upto
            )


def test_a_chunk_that_gets_empty_is_removed_on_disk() -> None:
    settled = Settled()
    settled.add(2, 5)
    settled.changed.clear()
    settled.raise_floor(2)
    assert (settled.floor, settled.count, settled.changed) == (5, 0, {0})
    assert settled.encode(0) is None


def test_a_chunk_of_which_a_part_is_forgotten_is_counted_anew() -> None:
    settled = Settled()
    settled.add(10, 20)
    settled.forget_from(15)
    assert settled.count == 5


def test_free_offsets_are_sought_across_chunks() -> None:
    settled = Settled()
    settled.add(1, EDGE)
    assert settled.free_from(1, EDGE) == EDGE
    assert settled.free_from(1, EDGE + 5) == EDGE
    settled = Settled()
    settled.add(EDGE, EDGE + 1)
    assert settled.free_until(5, 2 * EDGE) == EDGE


def test_what_a_chunk_says_below_the_floor_does_not_count() -> None:
    written = bytes(BitMap([0, 4, 5, 9]).serialize())
    settled = Settled(5)
    settled.load(0, written)
    assert (settled.count, settled.changed) == (2, set())
    settled = Settled(10)
    settled.load(0, written)
    assert (settled.count, settled.changed, settled.numbers()) == (0, {0}, [])


def test_chunks_are_of_the_size_that_is_written_down() -> None:
    settled = Settled()
    settled.add(3 * 65_536 - 1, 3 * 65_536 + 1)
    assert sorted(settled.numbers()) == [2, 3]
