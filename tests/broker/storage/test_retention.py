import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq_broker.storage.record_log import SegmentInfo
from tapemq_broker.storage.retention import outgrows_age, retained_from

HOUR_US = 3_600_000_000
YEAR_US = 365 * 24 * HOUR_US
LOG = [
    SegmentInfo(0, 10, 100, 1 * HOUR_US),
    SegmentInfo(10, 20, 100, 2 * HOUR_US),
    SegmentInfo(20, 30, 100, 3 * HOUR_US),
    SegmentInfo(30, 35, 50, 4 * HOUR_US),
]


def cut(
    now_us: int = 4 * HOUR_US,
    max_age_us: int | None = None,
    max_bytes: int | None = None,
    hold_offset: int | None = None,
    log: list[SegmentInfo] = LOG,
) -> int:
    return retained_from(
        log, now_us, max_age_us=max_age_us, max_bytes=max_bytes, hold_offset=hold_offset
    )


def test_without_limits_all_is_kept() -> None:
    assert cut() == 0


@pytest.mark.parametrize(
    ("max_age_us", "expected"),
    [(0, 30), (HOUR_US - 1, 30), (HOUR_US, 20), (2 * HOUR_US, 10), (3 * HOUR_US, 0)],
)
def test_a_segment_goes_when_its_newest_batch_is_too_old(max_age_us: int, expected: int) -> None:
    assert cut(max_age_us=max_age_us) == expected


@pytest.mark.parametrize(
    ("max_bytes", "expected"),
    [(0, 30), (50, 30), (51, 20), (149, 20), (150, 20), (151, 10), (250, 10), (251, 0), (350, 0)],
)
def test_what_is_left_is_never_smaller_than_the_limit(max_bytes: int, expected: int) -> None:
    assert cut(max_bytes=max_bytes) == expected


@pytest.mark.parametrize(
    ("hold_offset", "expected"),
    [(0, 0), (9, 0), (10, 10), (19, 10), (20, 20), (29, 20), (30, 30), (99, 30), (None, 30)],
)
def test_nothing_goes_that_a_group_still_needs(hold_offset: int | None, expected: int) -> None:
    assert cut(max_age_us=0, max_bytes=0, hold_offset=hold_offset) == expected


def test_either_limit_is_enough() -> None:
    assert cut(max_age_us=HOUR_US, max_bytes=10_000) == 20
    assert cut(max_age_us=YEAR_US, max_bytes=50) == 30


def test_a_clock_that_jumps_ahead_deletes_nothing() -> None:
    for now_us in (5 * HOUR_US, YEAR_US, 100 * YEAR_US):
        assert cut(now_us=now_us, max_age_us=3 * HOUR_US) == 0


def test_a_clock_that_jumps_back_deletes_nothing() -> None:
    assert cut(now_us=0, max_age_us=0) == 0
    assert cut(now_us=int(2.5 * HOUR_US), max_age_us=HOUR_US) == 10


def test_the_segment_that_is_appended_to_stays() -> None:
    assert cut(max_age_us=0, max_bytes=0, log=LOG[-1:]) == 30
    with pytest.raises(ValueError, match="at least one segment"):
        cut(log=[])


times = st.lists(st.integers(0, 1000), min_size=1, max_size=8).map(sorted)
limits = st.none() | st.integers(0, 1000)


@given(times, st.integers(0, 5000), limits, limits, limits)
def test_only_segments_go_that_may_go(
    times: list[int],
    now_us: int,
    max_age_us: int | None,
    max_bytes: int | None,
    hold_offset: int | None,
) -> None:
    log = [SegmentInfo(i * 10, i * 10 + 10, 100, time_us) for i, time_us in enumerate(times)]
    offset = cut(now_us, max_age_us, max_bytes, hold_offset, log)
    assert offset in [segment.base_offset for segment in log]
    removed = [segment for segment in log if segment.next_offset <= offset]
    left_bytes = 100 * (len(log) - len(removed))
    for segment in removed:
        assert hold_offset is None or segment.next_offset <= hold_offset
        is_old = max_age_us is not None and now_us - segment.last_append_time_us > max_age_us
        assert is_old or (max_bytes is not None and left_bytes >= max_bytes)


@pytest.mark.parametrize(
    ("begun_us", "last_us", "expected"),
    [(None, 4 * HOUR_US, False), (HOUR_US, 2 * HOUR_US, False), (HOUR_US, 2 * HOUR_US + 1, True)],
)
def test_a_segment_ends_when_it_spans_a_quarter_of_the_age(
    begun_us: int | None, last_us: int, expected: bool
) -> None:
    assert outgrows_age(begun_us, last_us, YEAR_US, 4 * HOUR_US) is expected
    assert not outgrows_age(begun_us, last_us, YEAR_US, None)


def test_a_segment_does_not_end_because_a_clock_was_set_ahead() -> None:
    assert not outgrows_age(HOUR_US, YEAR_US, 2 * HOUR_US, 4 * HOUR_US)
