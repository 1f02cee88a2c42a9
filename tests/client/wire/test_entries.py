from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.wire.entries import (
    RUN_BYTES,
    TOKEN_BYTES,
    Run,
    Tokens,
    pack_runs,
    pack_times,
    pack_tokens,
    unpack_runs,
    unpack_times,
    unpack_tokens,
)
from tapemq.wire.errors import ProtocolError
from tapemq.wire.limits import RUNS_MAX, SCHEDULES_MAX, TOKENS_MAX

U64 = st.integers(0, 2**64 - 1)
TOKENS = st.builds(Tokens, U64, st.integers(0, 2**63), st.integers(1, 2**32 - 1))


@given(st.lists(TOKENS))
def test_tokens_come_back(entries: list[Tokens]) -> None:
    assert unpack_tokens(memoryview(pack_tokens(entries))) == entries


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 99)), max_size=RUNS_MAX))
def test_runs_come_back(steps: list[tuple[int, int]]) -> None:
    runs, end = [], 0
    for gap, count in steps:
        runs.append(Run(end + gap, count))
        end += gap + count
    assert unpack_runs(pack_runs(runs)) == runs


@given(st.lists(U64, max_size=SCHEDULES_MAX))
def test_times_come_back(times_us: list[int]) -> None:
    assert unpack_times(memoryview(pack_times(times_us))) == times_us


def test_layout() -> None:
    assert pack_times([1, 2**64 - 1]).hex() == "0000000000000001ffffffffffffffff"
    assert pack_tokens([(1, 2, 3)]).hex() == "0000000000000001000000000000000200000003"
    assert pack_runs([(2, 3)]).hex() == "000000000000000200000003"


def test_any_order_of_tokens_and_the_largest_numbers() -> None:
    entries = [Tokens(2, 2**64 - 2, 1), Tokens(1, 0, 2**32 - 1), Tokens(2**64 - 1, 5, 1)]
    assert unpack_tokens(pack_tokens(entries)) == entries


@pytest.mark.parametrize("runs", [[(5, 5), (0, 5)], [(0, 5), (4, 1)], [(0, 1), (0, 1)]])
def test_runs_that_go_back_or_overlap_are_refused(runs: list[tuple[int, int]]) -> None:
    with pytest.raises(ProtocolError, match="below"):
        unpack_runs(pack_runs(runs))


@pytest.mark.parametrize(("first", "count"), [(7, 0), (2**64 - 1, 1), (2**64 - 5, 6)])
def test_counts_that_cannot_be_are_refused(first: int, count: int) -> None:
    with pytest.raises(ProtocolError, match="records from offset"):
        unpack_tokens(pack_tokens([(1, first, count)]))
    with pytest.raises(ProtocolError, match="records from offset"):
        unpack_runs(pack_runs([(first, count)]))


def test_sizes_that_are_no_multiple_or_over_the_limit_are_refused() -> None:
    for size_bytes in (1, TOKEN_BYTES - 1, TOKEN_BYTES * (TOKENS_MAX + 1)):
        with pytest.raises(ProtocolError, match=f"{size_bytes} bytes"):
            unpack_tokens(bytes(size_bytes))
    for size_bytes in (1, RUN_BYTES + 1, RUN_BYTES * (RUNS_MAX + 1)):
        with pytest.raises(ProtocolError, match=f"{size_bytes} bytes"):
            unpack_runs(bytes(size_bytes))
    for size_bytes in (1, 9, 8 * (SCHEDULES_MAX + 1)):
        with pytest.raises(ProtocolError, match=f"{size_bytes} bytes"):
            unpack_times(bytes(size_bytes))


def test_as_many_as_fit_are_taken() -> None:
    tokens = [Tokens(1, offset, 1) for offset in range(TOKENS_MAX)]
    assert unpack_tokens(pack_tokens(tokens)) == tokens
    runs = [Run(2 * number, 1) for number in range(RUNS_MAX)]
    assert unpack_runs(pack_runs(runs)) == runs


@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    for unpack in (unpack_tokens, unpack_runs, unpack_times):
        with suppress(ProtocolError):
            unpack(data)
