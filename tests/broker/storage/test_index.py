import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import Header, Kind, checksum
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.index import START, Index, Seal
from tests.support.logs import LOG_ID

SEAL = Seal(LOG_ID, 5, 9000, 8000, LogEnd(99, 42, 0xDEADBEEF, 3, 77), complete=True)


def header(offset: int, time_us: int) -> Header:
    return Header(Kind.DATA, 0, LOG_ID, 0, 10, offset, 0, time_us, 0, 0, 0, 0, 0)


def index_of(*entries: tuple[int, int, int], interval_bytes: int = 1) -> Index:
    index = Index()
    for offset, time_us, position in entries:
        index.add(header(offset, time_us), position, interval_bytes)
    return index


def test_entries_keep_their_distance() -> None:
    batches = [(number, number, number * 30) for number in range(10)]
    index = index_of(*batches, interval_bytes=100)
    assert len(index) == 3
    assert [index.find(offset).position for offset in (0, 3, 4, 7, 8, 9)] == [
        0,
        0,
        120,
        120,
        240,
        240,
    ]


def test_entries_are_told_in_order() -> None:
    index = index_of((0, 10, 0), (10, 20, 100), (20, 20, 200))
    assert list(index.entries()) == [(0, 0), (100, 10), (200, 20)]


def test_the_first_batch_is_always_taken() -> None:
    assert index_of((7, 1, 0), interval_bytes=1 << 20).find(7) == (0, 7)


def test_an_index_knows_when_its_segment_was_begun() -> None:
    assert index_of().begun_us is None
    assert index_of((0, 10, 0), (10, 20, 100), interval_bytes=1000).begun_us == 10


def test_an_empty_index_points_to_the_start() -> None:
    assert Index().find(5) == START
    assert Index().find_time(5) == START


def test_looking_for_a_time_starts_before_the_first_batch_of_it() -> None:
    index = index_of((0, 10, 0), (10, 20, 100), (20, 20, 200), (30, 30, 300))
    assert [index.find_time(time_us).position for time_us in (5, 10, 11, 20, 21, 30, 31)] == [
        *(0, 0, 0, 0, 200, 200, 300)
    ]


def test_marks_share_the_offset_of_the_batch_behind_them() -> None:
    index = index_of((0, 1, 0), (10, 1, 100), (10, 1, 188), (10, 1, 276), (20, 1, 400))
    assert index.find(10) == (100, 10)
    assert index.find(9) == (0, 0)


ascending = st.lists(
    st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**63)),
    max_size=20,
)


@given(ascending, st.booleans())
def test_a_file_gives_the_same_index_back(
    entries: list[tuple[int, int, int]], complete: bool
) -> None:
    columns = [sorted(column) for column in zip(*entries, strict=True)]
    index = index_of(*zip(*columns, strict=True))
    seal = SEAL._replace(complete=complete)
    decoded = Index.decode(index.encode(seal))
    assert decoded is not None
    found, again = decoded
    assert found == seal
    assert again.encode(seal) == index.encode(seal)
    for offset, time_us, _ in entries:
        assert again.find(offset) == index.find(offset)
        assert again.find_time(time_us) == index.find_time(time_us)


def test_the_file_is_as_specified() -> None:
    data = index_of((5, 66, 0), (50, 77, 7000)).encode(SEAL)
    expected = """
        544d5149 01 01 0000 00000002
        0000000000000007 00000000 00000000
        0000000000000005 0000000000002328 0000000000001f40
        0000000000000063 000000000000002a deadbeef 00000003 000000000000004d
        0000000000000005 0000000000000032
        0000000000000042 000000000000004d
        0000000000000000 0000000000001b58
    """
    assert data[:-4] == bytes.fromhex(expected)
    assert data[-4:] == checksum(data[:-4]).to_bytes(4, "big")


def test_no_wrong_bit_is_accepted() -> None:
    data = index_of((5, 66, 0), (50, 77, 7000)).encode(SEAL)
    for bit in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        assert Index.decode(bytes(wrong)) is None
    for size_bytes in range(len(data)):
        assert Index.decode(data[:size_bytes]) is None
    assert Index.decode(data + b"\0") is None


@pytest.mark.parametrize(("position", "value"), [(0, b"TMQX"), (4, b"\x02"), (24, b"\0\0\0\x09")])
def test_other_formats_are_not_read(position: int, value: bytes) -> None:
    data = bytearray(index_of((5, 66, 0)).encode(SEAL))
    data[position : position + len(value)] = value
    data[-4:] = checksum(data[:-4]).to_bytes(4, "big")
    assert Index.decode(bytes(data)) is None
