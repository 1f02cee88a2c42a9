from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq_broker.core.assignment import share_partitions


def test_nobody_there_owns_nothing() -> None:
    assert share_partitions(3, [], {0: "gone"}) == {}


@pytest.mark.parametrize(
    ("partitions", "members", "owners", "expected"),
    [
        (3, "a", {}, {0: "a", 1: "a", 2: "a"}),
        (3, "ab", {0: "a", 1: "a", 2: "a"}, {0: "a", 1: "a", 2: "b"}),
        (3, "ab", {0: "b", 2: "b"}, {0: "b", 1: "a", 2: "b"}),
        (2, "abc", {}, {0: "a", 1: "b"}),
        (2, "abc", {0: "c"}, {0: "c", 1: "a"}),
        (2, "abc", {0: "c", 1: "c"}, {0: "c", 1: "a"}),
        (2, "ab", {0: "gone", 1: "a"}, {0: "b", 1: "a"}),
    ],
)
def test_shares(
    partitions: int, members: str, owners: dict[int, str], expected: dict[int, str]
) -> None:
    assert share_partitions(partitions, members, owners) == expected


@given(
    partitions=st.integers(1, 12),
    members=st.lists(st.integers(0, 20), unique=True, min_size=1, max_size=20),
    owners=st.dictionaries(st.integers(0, 11), st.integers(0, 20)),
)
def test_even_stable_and_moving_as_few_as_possible(
    partitions: int, members: list[int], owners: dict[int, int]
) -> None:
    owners = {partition: owner for partition, owner in owners.items() if partition < partitions}
    shared = share_partitions(partitions, members, owners)
    assert sorted(shared) == list(range(partitions))
    counts = Counter(dict.fromkeys(members, 0))
    counts.update(shared.values())
    assert set(counts) == set(members)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert share_partitions(partitions, members, shared) == shared

    held = Counter(owner for owner in owners.values() if owner in members)
    least, extra = divmod(partitions, len(members))
    by_holding = [count for _, count in held.most_common()]
    kept_at_best = sum(min(count, least + (rank < extra)) for rank, count in enumerate(by_holding))
    kept = sum(shared[partition] == owner for partition, owner in owners.items())
    assert kept == kept_at_best


def test_who_waits_costs_nothing() -> None:
    """Of many members only those are looked at who have, or come first to, a partition."""

    class Crowd(dict[int, None]):
        looked_at = 0

        def __iter__(self) -> Iterator[int]:
            for member in super().__iter__():
                Crowd.looked_at += 1
                yield member

    crowd = Crowd([(member, None) for member in range(10_000)])
    assert share_partitions(3, crowd, {1: 9_999}) == {0: 0, 1: 9_999, 2: 1}
    assert Crowd.looked_at <= 4
