"""Each record is settled once, and some are failed first."""

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.records import record_maker
from benchmarks.work.tally import Tally, check_union

make = record_maker(100)


def test_every_nth_record_is_nacked_when_it_comes_for_the_first_time() -> None:
    tally = Tally(100, 3)
    verdicts = [tally.take(make(sequence), False) for sequence in range(5)]
    assert verdicts == [False, True, True, False, True]
    assert tally.take(make(3), True)
    assert (tally.count, tally.nacked) == (4, 2)


def test_a_record_that_comes_again_after_its_ack_is_an_error() -> None:
    tally = Tally(100, 0)
    assert tally.take(make(9), False)
    with pytest.raises(BenchmarkError, match="record 9 came again"):
        tally.take(make(9), True)


@pytest.mark.parametrize("value", [None, make(7)[:-1], make(7)[:-1] + b"?"])
def test_a_damaged_record_is_an_error(value: bytes | None) -> None:
    with pytest.raises(BenchmarkError, match="damaged"):
        Tally(100, 0).take(value, False)


def settled(*sequences: int) -> bytes:
    tally = Tally(100, 0)
    for sequence in sequences:
        tally.take(make(sequence), False)
    return bytes(tally.acked)


def test_the_union_of_all_processes_holds_every_record_once() -> None:
    check_union([settled(0, 2, 9), settled(1, *range(3, 9))], 10)


def test_a_lost_record_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match="3 records sent, 2 acked"):
        check_union([settled(0), settled(2)], 3)


def test_a_record_acked_by_two_processes_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match="1 records were acked twice"):
        check_union([settled(0, 1), settled(1, 2)], 3)
