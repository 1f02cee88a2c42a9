import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq_broker.core.queue import beyond as module
from tapemq_broker.core.queue.beyond import Beyond
from tapemq_broker.core.queue.lane import Lane


def parked(keys: str) -> tuple[Beyond, dict[str, Lane]]:
    """A letter for each record's key."""
    beyond, lanes = Beyond(), {key: Lane(key.encode()) for key in keys}
    for offset, key in enumerate(keys):
        beyond.park(lanes[key], offset)
    return beyond, lanes


@pytest.mark.parametrize("sets", [1, 256])
@given(keys=st.text("abc", min_size=1, max_size=30), slice_records=st.integers(1, 8))
def test_each_lane_gets_its_records_in_order(sets: int, keys: str, slice_records: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SETS", sets)
        beyond, lanes = parked(keys)
        for key, lane in lanes.items():
            found: list[int] = []
            while (first := beyond.next_of(lane)) is not None:
                end = min(first + slice_records, len(keys))
                for offset in range(first, end):
                    if keys[offset] == key and beyond.is_next(lane, offset, first):
                        beyond.take(lane, offset)
                        found.append(offset)
                if lane.has_beyond:
                    lane.beyond_first = max(lane.beyond_first, end)
            assert found == [offset for offset, one in enumerate(keys) if one == key]
            assert lane.beyond == 0
        assert beyond.count == 0


def test_a_record_behind_another_of_its_lane_is_not_the_next_one() -> None:
    beyond, lanes = parked("aaa")
    assert not beyond.is_next(lanes["a"], 1, 1)
    assert beyond.is_next(lanes["a"], 0, 0)
    assert not beyond.is_next(lanes["a"], 3, 0)
    beyond.take(lanes["a"], 0)
    assert beyond.is_next(lanes["a"], 1, 1)


def test_what_is_gone_is_not_there() -> None:
    beyond, lanes = parked("aabab")
    beyond.forget_below(2, lanes.values())
    assert beyond.count == 3
    assert [beyond.next_of(lanes[key]) for key in "ab"] == [3, 2]
    beyond.forget_below(4, lanes.values())
    assert not lanes["a"].has_beyond
    assert beyond.next_of(lanes["a"]) is None
    assert lanes["b"].beyond == 1


def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECORDS_MAX", 3)
    beyond, lanes = parked("aa")
    fullness = [beyond.is_full]
    beyond.park(lanes["a"], 2)
    fullness.append(beyond.is_full)
    beyond.clear()
    assert [*fullness, beyond.is_full] == [False, True, False]
