from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from tapemq_broker.core.queue.lease import Lease, Run, size, without

tokens = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=8)


def expand(runs: list[Run]) -> set[int]:
    return {offset for first, end in runs for offset in range(first, end)}


@given(st.sets(st.integers(10, 50), min_size=1), tokens)
def test_each_record_is_let_go_of_once(leased: set[int], wanted: list[tuple[int, int]]) -> None:
    runs: list[Run] = []
    for offset in sorted(leased):
        if runs and runs[-1][1] == offset:
            runs[-1] = (runs[-1][0], offset + 1)
        else:
            runs.append((offset, offset + 1))
    lease = Lease(1, runs, troubled=False, deliveries=0, lease_s=1.0)
    assert lease.count == len(leased)
    left = set(leased)
    for first, count in wanted:
        run = first, first + count
        expected = left & set(range(*run))
        assert expand(lease.held(*run)) == expected
        taken = lease.take(*run)
        assert expand(taken) == expected
        assert expand(without(run, taken)) == set(range(*run)) - expected
        left -= expected
        assert expand(lease.open_runs()) == left
    assert bool(lease.open) == bool(left)


def test_only_what_is_held_can_have_started() -> None:
    lease = Lease(1, [(3, 6), (8, 9)], troubled=False, deliveries=0, lease_s=1.0)
    lease.take(4, 5)
    lease.start(0, 6)
    assert lease.take_started() == [(3, 4), (5, 6)]
    assert lease.take_started() == []
    assert lease.open_runs() == [(8, 9)]


class CountedRun(tuple[int, int]):
    """A run that counts how often it is looked into."""

    looked = 0

    def __iter__(self) -> Iterator[int]:
        CountedRun.looked += 1
        return super().__iter__()


def test_a_mention_of_a_lease_looks_at_few_of_its_runs() -> None:
    """A frame names a lease up to 4,096 times, and it may have 256 runs."""
    lease = Lease(
        1,
        [CountedRun((at, at + 1)) for at in range(0, 512, 2)],
        troubled=False,
        deliveries=0,
        lease_s=1.0,
    )
    lease.take(0, 511)
    CountedRun.looked = 0
    for _ in range(100):
        lease.start(0, 512)
        assert lease.take(0, 512) == []
    assert CountedRun.looked <= 400


def test_size() -> None:
    assert size([(3, 6), (8, 9)]) == 4
