"""How many bytes there are from an offset on, beside a plain list of all batches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq_broker.core.sizes import Sizes

LIMIT = 10_000
BATCHES = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 300)), max_size=100)


def ends(batches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Offset and byte behind each batch, (0, 0) first."""
    found = [(0, 0)]
    for records, size_bytes in batches:
        found.append((found[-1][0] + records, found[-1][1] + size_bytes))
    return found


def filled(batches: list[tuple[int, int]], limit_bytes: int = LIMIT) -> Sizes:
    sizes = Sizes(limit_bytes, [(0, 0)])
    for (offset, _), (_, size_bytes) in zip(ends(batches)[1:], batches, strict=True):
        sizes.add(offset, size_bytes)
        sizes.durable_upto(offset)
    return sizes


@given(BATCHES)
def test_it_is_exact_to_a_batch_or_a_step(batches: list[tuple[int, int]]) -> None:
    sizes = filled(batches)
    all_ends = ends(batches)
    for offset, byte in all_ends:
        assert abs(sizes.bytes_from(offset) - (all_ends[-1][1] - byte)) <= LIMIT // 512


@given(BATCHES, st.integers(1, 3000))
def test_the_newest_take_no_more_than_asked(
    batches: list[tuple[int, int]], size_bytes: int
) -> None:
    sizes = filled(batches, limit_bytes=1)  # a landmark for each batch
    durable_offset = ends(batches)[-1][0]
    offset = sizes.newest(size_bytes, durable_offset)
    if offset > 0:
        is_last = offset == durable_offset - 1
        assert is_last or sizes.bytes_from(offset) <= size_bytes
        assert sizes.bytes_from(offset - 1) > size_bytes
    else:
        assert not batches or durable_offset == 1 or sizes.bytes_from(0) <= size_bytes


def test_bytes_count_as_evenly_spread_over_a_batch() -> None:
    sizes = Sizes(LIMIT, [(0, 0), (10, 1000)])
    assert [sizes.bytes_from(offset) for offset in (0, 1, 5, 10)] == [1000, 900, 500, 0]
    assert [sizes.newest(n, 10) for n in (1000, 999, 900, 150, 50)] == [0, 1, 1, 9, 9]


def test_what_was_refused_is_forgotten_exactly() -> None:
    sizes = Sizes(LIMIT, [(0, 0)])
    sizes.add(3, 100)
    sizes.add(4, 7)
    sizes.add(5, 7)
    sizes.refused(3)
    assert sizes.bytes_from(0) == 100
    sizes.durable_upto(3)
    sizes.refused(3)
    sizes.add(4, 50)
    assert (sizes.bytes_from(0), sizes.bytes_from(3)) == (150, 50)


def test_what_is_not_on_disk_counts_as_length_but_replaces_nothing() -> None:
    sizes = filled([(1, 100)] * 10)
    sizes.add(11, 1000)
    assert sizes.bytes_from(10) == 1000
    assert sizes.newest(500, 10) == 5


def test_landmarks_may_share_an_offset() -> None:
    sizes = Sizes(1, [(0, 0), (5, 100), (5, 188), (6, 300)])
    assert (sizes.bytes_from(5), sizes.bytes_from(0)) == (112, 300)


@pytest.mark.parametrize("batch_bytes", [1, 10, 100, 5000])
def test_memory_is_bounded_and_twice_the_limit_is_covered(batch_bytes: int) -> None:
    count = 12_000 if batch_bytes < 5000 else 9_000
    sizes = filled([(1, batch_bytes)] * count)
    assert len(sizes._offsets) <= 4096
    offset = max(0, count - 2 * LIMIT // batch_bytes)
    assert abs(sizes.bytes_from(offset) - (count - offset) * batch_bytes) <= LIMIT // 512
    assert sizes.bytes_from(0) >= min(2 * LIMIT, count * batch_bytes)
