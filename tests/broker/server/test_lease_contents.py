"""What of a lease is sent: whole batches as they rest, parts of others, and never too much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import Codec, iter_batches
from tapemq.wire.limits import RUNS_MAX
from tapemq_broker.server.batches import Batches
from tapemq_broker.server.lease_contents import LeaseContents, Runs
from tests.support.chunks import batch, chunk, numbered, offsets

PLENTY = 1 << 20


def taken(
    batches: Batches, *runs: tuple[int, int], max_bytes: int = PLENTY, **ages: int
) -> LeaseContents:
    contents = LeaseContents(runs[0][0], max_bytes, **ages)
    for first, upto in runs:
        if not contents.is_full:
            contents.take(batches, first, upto)
    return contents


def sent(contents: LeaseContents) -> list[int]:
    data = b"".join(contents.payload())
    assert len(data) == contents.size_bytes
    return offsets(data)


def expanded(runs: Runs) -> list[int]:
    return [offset for first, upto in runs for offset in range(first, upto)]


def test_whole_batches_are_sent_as_they_rest() -> None:
    batches = Batches(0, chunk(*(numbered(base, 5) for base in (0, 5, 10)), next_offset=15))
    contents = taken(batches, (5, 15))
    [part] = contents.payload()
    assert part.obj is batches.data.obj  # type: ignore[union-attr]
    assert sent(contents) == list(range(5, 15))
    assert (contents.sent, contents.records, contents.upto) == ([(5, 15)], 10, 15)


def test_marks_are_not_sent() -> None:
    batches = Batches(0, chunk(numbered(0, 2), batch(2, []), numbered(2, 2), next_offset=4))
    contents = taken(batches, (0, 4))
    assert len(contents.payload()) == 2
    assert sent(contents) == [0, 1, 2, 3]


def test_parts_of_batches_are_cut_out() -> None:
    batches = Batches(0, chunk(numbered(0, 10), numbered(10, 10), next_offset=20))
    contents = taken(batches, (3, 5), (8, 12), (19, 20))
    assert sent(contents) == [3, 4, 8, 9, 10, 11, 19]
    assert contents.sent == [(3, 5), (8, 12), (19, 20)]
    assert contents.records == 7


def test_a_compressed_batch_goes_whole_and_once() -> None:
    packed = batch(0, [b"%d" % number for number in range(10)], codec=Codec.ZLIB)
    batches = Batches(0, chunk(packed, numbered(10, 5), next_offset=15))
    contents = taken(batches, (1, 3), (5, 6), (9, 11))
    headers = [
        (h.base_offset, h.record_count) for h, _ in iter_batches(b"".join(contents.payload()))
    ]
    assert headers == [(0, 10), (10, 1)]
    assert contents.sent == [(1, 3), (5, 6), (9, 11)]


def test_what_does_not_exist_is_told() -> None:
    batches = Batches(0, chunk(numbered(5, 5), numbered(20, 5), next_offset=40))
    contents = taken(batches, (0, 3), (7, 22), (30, 35))
    assert contents.absent == [(0, 3), (10, 20), (30, 35)]
    assert sent(contents) == [7, 8, 9, 20, 21]
    assert contents.upto == 35


def test_what_ends_with_the_read_is_left() -> None:
    batches = Batches(0, chunk(numbered(0, 5), next_offset=5))
    contents = taken(batches, (3, 9))
    assert sent(contents) == [3, 4]
    assert contents.upto == 5


def test_room_ends_a_lease() -> None:
    batches = Batches(0, chunk(numbered(0, 100, 1000), numbered(100, 100, 1000), next_offset=200))
    contents = taken(batches, (10, 200), max_bytes=50_000)
    assert 40_000 < contents.size_bytes <= 50_000 + 1100
    assert contents.is_full
    assert contents.upto == 10 + contents.records
    assert sent(contents) == list(range(10, contents.upto))


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.ZLIB])
def test_one_record_is_sent_however_large(codec: Codec) -> None:
    batches = Batches(0, chunk(batch(0, [bytes(1000)] * 3, codec=codec), next_offset=3))
    contents = taken(batches, (1, 3), max_bytes=1)
    [(header, _)] = iter_batches(b"".join(contents.payload()))
    assert (header.record_count, contents.sent) == (
        (3, [(1, 3)]) if codec is Codec.ZLIB else (1, [(1, 2)])
    )


def test_records_of_which_no_more_fit_are_left_to_the_next_lease() -> None:
    large = batch(5, [bytes(5000)] * 2, codec=Codec.ZLIB)
    batches = Batches(0, chunk(numbered(0, 5), large, next_offset=7))
    contents = taken(batches, (0, 7), max_bytes=700)
    assert (contents.sent, contents.upto, contents.is_full) == ([(0, 5)], 5, True)


def test_old_records_are_not_sent() -> None:
    data = [numbered(base, 5, time_us=time_us) for base, time_us in ((0, 1), (5, 5), (10, 9))]
    batches = Batches(0, chunk(*data, next_offset=15))
    contents = taken(batches, (2, 15), too_old_us=9, expired_us=5)
    assert (contents.expired, contents.too_old) == ([(2, 5)], [(5, 10)])
    assert sent(contents) == [10, 11, 12, 13, 14]
    assert contents.upto == 15


def test_a_frame_has_only_so_many_runs() -> None:
    batches = Batches(0, chunk(numbered(0, 1000, 1), next_offset=1000))
    contents = taken(batches, *((number, number + 1) for number in range(0, 1000, 2)))
    assert len(contents.sent) == RUNS_MAX
    assert contents.upto == contents.sent[-1][1]


@given(
    st.lists(st.tuples(st.integers(1, 8), st.integers(0, 3), st.booleans()), min_size=1),
    st.lists(st.integers(0, 60), min_size=2, unique=True),
    st.integers(1, 6000),
)
def test_every_offset_is_sent_or_absent_or_left(
    layout: list[tuple[int, int, bool]], bounds: list[int], max_bytes: int
) -> None:
    """Batches of any size, with gaps between them; some are compressed."""
    data, base, existing = [], 0, set()
    for count, gap, is_compressed in layout:
        codec = Codec.ZLIB if is_compressed else Codec.NONE
        values = [b"%d" % offset for offset in range(base, base + count)]
        data.append(batch(base, values, codec=codec))
        existing |= set(range(base, base + count))
        base += count + gap
    batches = Batches(0, chunk(*data, next_offset=base))
    bounds = sorted(bounds)
    runs = [run for run in zip(bounds[::2], bounds[1::2], strict=False) if run[0] < base]
    if not runs:
        return
    contents = taken(batches, *runs, max_bytes=max_bytes)
    wanted = [offset for offset in expanded(runs) if offset < min(contents.upto, base)]
    assert sorted(expanded(contents.sent) + expanded(contents.absent)) == wanted
    assert set(expanded(contents.sent)) == existing.intersection(wanted)
    assert set(expanded(contents.sent)) <= set(sent(contents)) <= existing
    assert contents.sent or contents.upto >= min(runs[-1][1], base)


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.ZLIB])
@pytest.mark.parametrize(
    ("now_us", "expired"),
    [(0, []), (110, []), (111, [(1, 2)]), (121, [(1, 2), (3, 5)]), (10**9, [(1, 2), (3, 5)])],
)
def test_each_record_lives_as_long_as_it_may(codec: Codec, now_us: int, expired: Runs) -> None:
    """Microsecond for microsecond: never early."""
    values = [b"%d" % number for number in range(6)]
    mortal = batch(0, values, codec=codec, time_us=100, ttls_us=[0, 10, 0, 20, 20, 0])
    contents = taken(Batches(0, chunk(mortal, next_offset=6)), (0, 6), now_us=now_us)
    assert contents.expired == expired
    assert sorted(expanded(contents.expired) + expanded(contents.sent)) == list(range(6))
    assert set(expanded(contents.sent)) <= set(sent(contents))
    assert contents.upto == 6


def test_a_full_lease_leaves_the_rest_of_a_mortal_batch() -> None:
    mortal = batch(0, [bytes(1000)] * 6, time_us=100, ttls_us=[1, 0, 1, 0, 1, 0])
    contents = taken(Batches(0, chunk(mortal, next_offset=6)), (0, 6), now_us=200, max_bytes=1)
    assert (contents.expired, contents.sent, contents.upto) == ([(0, 1)], [(1, 2)], 2)
