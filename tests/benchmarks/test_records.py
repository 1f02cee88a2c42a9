import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.records import END, FILLER_COUNT, Checker, fillers, record_maker

SIZE = 40


def test_records_have_the_size_and_differ() -> None:
    make = record_maker(SIZE)
    records = [make(sequence) for sequence in range(1_000)]
    assert {len(record) for record in records} == {SIZE}
    assert len(set(records)) == 1_000
    assert len(set(fillers(SIZE))) == FILLER_COUNT


@pytest.mark.parametrize("size_bytes", [9, 100, 1024, 65_536])
def test_a_run_in_order_is_taken_to_its_end(size_bytes: int) -> None:
    make = record_maker(size_bytes)
    checker = Checker(size_bytes, timed=False)
    assert all(checker.take(make(sequence)) for sequence in range(200))
    assert checker.count == 200
    assert checker.ended_ns == 0
    assert checker.take(make(END | 200)) is False
    assert checker.ended_ns > 0
    assert checker.arrivals_ns == []


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(record_maker(SIZE)(0), id="repeated"),
        pytest.param(record_maker(SIZE)(2), id="skipped"),
        pytest.param(record_maker(SIZE)(1)[:-1], id="cut"),
        pytest.param(record_maker(SIZE)(1)[:-1] + b"!", id="damaged"),
        pytest.param(record_maker(SIZE)(END | 2), id="ended too late"),
        pytest.param(record_maker(SIZE)(END), id="ended too early"),
        pytest.param(b"", id="empty"),
    ],
)
@pytest.mark.parametrize("timed", [False, True])
def test_anything_else_is_an_error(received: bytes, timed: bool) -> None:
    checker = Checker(SIZE, timed=timed)
    assert checker.take(record_maker(SIZE)(0))
    with pytest.raises(BenchmarkError, match="expected record 1, received"):
        checker.take(received)


def test_a_timed_checker_notes_when_each_record_came() -> None:
    make = record_maker(SIZE)
    checker = Checker(SIZE, timed=True)
    for sequence in range(3):
        assert checker.take(make(sequence))
    assert not checker.take(make(END | 3))
    assert checker.count == len(checker.arrivals_ns) == 3
    assert checker.arrivals_ns == sorted(checker.arrivals_ns)


def test_a_record_needs_room_for_its_sequence() -> None:
    with pytest.raises(BenchmarkError, match="at least 9 bytes, not 8"):
        record_maker(8)
