from hypothesis import given
from hypothesis import strategies as st

from tapemq.streams.credit import Credit, Grant


def test_credit_is_granted_in_quarters_of_the_records() -> None:
    credit = Credit(Grant(100, 10_000))
    assert credit.returned(24, 10) is None
    assert credit.returned(1, 10) == Grant(25, 20)
    assert credit.returned(24, 0) is None


def test_credit_is_granted_in_quarters_of_the_bytes() -> None:
    credit = Credit(Grant(100, 1000))
    assert credit.returned(1, 249) is None
    assert credit.returned(1, 1) == Grant(2, 250)


def test_smallest_window_is_granted_each_time() -> None:
    for size_bytes in (1, 10_000):
        credit = Credit(Grant(1, size_bytes))
        assert credit.returned(1, 50) == Grant(1, 50)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 500))))
def test_nothing_is_granted_twice_and_less_than_a_quarter_is_kept(
    deliveries: list[tuple[int, int]],
) -> None:
    credit = Credit(Grant(100, 1000))
    records, size_bytes = map(sum, zip((0, 0), *deliveries, strict=True))
    for delivery in deliveries:
        grant = credit.returned(*delivery)
        if grant is not None:
            records -= grant.records
            size_bytes -= grant.bytes
    assert 0 <= records < 25
    assert 0 <= size_bytes < 250
