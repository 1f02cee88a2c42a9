"""The contract of every index of schedules."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq_broker.storage.schedules.index import (
    BeginFiring,
    EndFiring,
    LeftOut,
    Move,
    Put,
    Remove,
    Row,
    ScheduleIndex,
    TopicState,
)
from tapemq_broker.storage.schedules.memory_index import MemoryScheduleIndex
from tapemq_broker.storage.schedules.sqlite_index import SqliteScheduleIndex

T = 2**64 - 3
OTHER = 5


@pytest.fixture(params=["memory", "sqlite"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ScheduleIndex]:
    made: ScheduleIndex = MemoryScheduleIndex()
    if request.param == "sqlite":
        made = SqliteScheduleIndex(tmp_path / "index")
    yield made
    made.close()


def row(number: int, due_us: int = 100, **fields: object) -> Row:
    made = Row(number, number - 1, due_us, 0, b"", 0, b"head", b"record")
    return made._replace(**fields)  # type: ignore[arg-type]


def test_nothing_is_known_of_a_strange_topic(index: ScheduleIndex) -> None:
    assert index.state(T) == TopicState(0, 0, ())
    assert index.topics() == []
    assert index.find(T, 1) is None
    assert index.due(10**9, 10, 10**9) == []
    assert index.next_due_us(0) is None
    assert index.page(T, 0, 0, 10) == []
    assert index.oldest(T, 10, 10**9) == []


def test_what_was_put_is_found(index: ScheduleIndex) -> None:
    rows = [row(1, key=b"k", partition=3, fired=2), row(2, record=bytes(range(256)))]
    index.apply(T, 2, [Put(one) for one in rows])
    assert index.state(T) == TopicState(2, 2, ())
    assert [index.find(T, 1), index.find(T, 2), index.find(T, 3)] == [*rows, None]
    assert index.find(OTHER, 1) is None
    assert index.find_key(T, b"k") == rows[0]
    assert index.find_key(T, b"other") is None
    assert index.topics() == [T]


def test_what_is_put_again_counts_once(index: ScheduleIndex) -> None:
    index.apply(T, 1, [Put(row(1))])
    index.apply(T, 3, [Put(row(1, position=1)), Put(row(3))])
    index.apply(T, 6, [Put(row(4)), Put(row(4, position=4))])
    assert index.state(T).pending == 3
    assert index.find(T, 1) == row(1, position=1)


def test_what_is_removed_counts_no_more_and_only_once(index: ScheduleIndex) -> None:
    index.apply(T, 2, [Put(row(1)), Put(row(2))])
    index.apply(T, 4, [Remove(1), Remove(1), Remove(9)])
    assert index.state(T) == TopicState(4, 1, ())
    assert index.find(T, 1) is None


def test_operations_are_carried_out_in_order(index: ScheduleIndex) -> None:
    index.apply(T, 5, [Put(row(1, key=b"k")), Remove(1), Put(row(3, key=b"k")), Move(3, 7, 1)])
    assert index.find_key(T, b"k") == row(3, 7, key=b"k", fired=1)
    assert index.state(T).pending == 1


def test_a_move_of_what_is_gone_does_nothing(index: ScheduleIndex) -> None:
    index.apply(T, 1, [Move(3, 7, 1)])
    assert index.find(T, 3) is None
    assert index.state(T).pending == 0


def test_what_is_due_comes_in_order_of_all_topics(index: ScheduleIndex) -> None:
    index.apply(T, 3, [Put(row(1, 300)), Put(row(2, 100)), Put(row(3, 500))])
    index.apply(OTHER, 2, [Put(row(1, 200)), Put(row(2, 100))])
    found = [(topic_id, one.schedule_id) for topic_id, one in index.due(300, 10, 10**9)]
    assert found == [(OTHER, 2), (T, 2), (OTHER, 1), (T, 1)]
    assert len(index.due(300, 2, 10**9)) == 2
    assert len(index.due(300, 10, len(b"record") * 3)) == 3
    assert len(index.due(300, 10, 0)) == 1
    assert index.next_due_us(0) == 100


def test_partitions_can_be_left_out(index: ScheduleIndex) -> None:
    index.apply(T, 2, [Put(row(1, 100, partition=1)), Put(row(2, 200))])
    index.apply(OTHER, 1, [Put(row(1, 300, partition=1))])
    without = LeftOut([(T, 1)])
    assert [one.row.schedule_id for one in index.due(900, 10, 10**9, without)] == [2, 1]
    assert index.next_due_us(0, without) == 200
    assert index.next_due_us(0, LeftOut([(T, 1), (T, 0)])) == 300


def test_topics_can_be_left_out(index: ScheduleIndex) -> None:
    index.apply(T, 2, [Put(row(1, 100, partition=1)), Put(row(2, 200))])
    index.apply(OTHER, 1, [Put(row(7, 300, partition=1))])
    without = LeftOut([(T, 1)], [T, 99])
    assert [one.row.schedule_id for one in index.due(900, 10, 10**9, without)] == [7]
    assert index.next_due_us(0, without) == 300
    assert index.next_due_us(0, LeftOut([(OTHER, 1)], [T])) is None
    assert index.next_due_us(200) == index.next_due_us(299) == 300
    assert index.next_due_us(300) is None
    assert [one.topic_id for one in index.due(900, 10, 10**9, LeftOut((), [OTHER]))] == [T, T]


def test_pages_go_on_behind_a_time_and_an_id(index: ScheduleIndex) -> None:
    index.apply(T, 4, [Put(row(n, due)) for n, due in ((1, 20), (2, 10), (3, 20), (4, 30))])
    index.apply(OTHER, 1, [Put(row(1, 20))])
    assert [one.schedule_id for one in index.page(T, 0, 0, 3)] == [2, 1, 3]
    assert [one.schedule_id for one in index.page(T, 20, 1, 9)] == [3, 4]
    assert index.page(T, 30, 4, 9) == []
    assert [one.schedule_id for one in index.page(T, 0, 0, 9, 1)] == [2]


def test_what_is_asked_for_may_be_larger_than_anything(index: ScheduleIndex) -> None:
    index.apply(T, 1, [Put(row(1))])
    assert index.find(T, 2**64 - 1) is None
    assert index.page(T, 2**64 - 1, 2**64 - 1, 9) == []
    assert index.page(T, 0, 2**64 - 1, 9) == [row(1)]


def test_the_oldest_are_those_stated_first(index: ScheduleIndex) -> None:
    index.apply(T, 4, [Put(row(1)), Put(row(2)), Put(row(3)), Put(row(1, position=3))])
    assert [one.schedule_id for one in index.oldest(T, 9, 10**9)] == [2, 3, 1]
    assert len(index.oldest(T, 2, 10**9)) == 2
    assert len(index.oldest(T, 9, 0)) == 1


def test_a_firing_is_remembered_until_it_ends(index: ScheduleIndex) -> None:
    first, second = BeginFiring(0, 5, b"data"), BeginFiring(2, 6, b"x")
    index.apply(T, 7, [BeginFiring(0, 4, b"old"), first, second])
    assert set(index.state(T).firings) == {first, second}
    index.apply(T, 8, [EndFiring(0), EndFiring(9)])
    assert index.state(T).firings == (second,)


def test_a_topic_is_forgotten(index: ScheduleIndex) -> None:
    for topic in (T, OTHER):
        index.apply(topic, 2, [Put(row(1)), BeginFiring(0, 1, b"")])
    index.forget(T)
    assert index.state(T) == TopicState()
    assert index.find(T, 1) is None
    assert index.state(OTHER).pending == 1


def test_a_reset_index_is_empty(index: ScheduleIndex) -> None:
    index.apply(T, 1, [Put(row(1))])
    index.reset()
    assert index.topics() == []
    assert index.next_due_us(0) is None
    index.apply(T, 1, [Put(row(1))])
    assert index.state(T).pending == 1


@given(
    rows=st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 2), st.integers(1, 8)), min_size=1, max_size=30
    ),
    partitions=st.sets(st.tuples(st.integers(1, 4), st.integers(0, 2)), max_size=4),
    topics=st.sets(st.integers(1, 4), max_size=2),
    at=st.integers(0, 9),
    limit=st.integers(1, 12),
)
def test_what_is_due_is_the_same_in_both(
    rows: list[tuple[int, int, int]],
    partitions: set[tuple[int, int]],
    topics: set[int],
    at: int,
    limit: int,
) -> None:
    memory = MemoryScheduleIndex()
    directory = TemporaryDirectory()
    file = SqliteScheduleIndex(Path(directory.name) / "index")
    made: tuple[ScheduleIndex, ...] = (memory, file)
    for number, (topic_id, partition, due_us) in enumerate(rows, 1):
        for index in made:
            index.apply(topic_id, number, [Put(row(number, due_us, partition=partition))])
            index.apply(topic_id, number, [Remove(number - 1)] if number % 4 == 0 else [])
    without = LeftOut(partitions, topics)
    assert memory.due(at, limit, 1 << 30, without) == file.due(at, limit, 1 << 30, without)
    assert memory.next_due_us(at, without) == file.next_due_us(at, without)
    for topic_id in range(1, 5):
        assert memory.page(topic_id, at, 3, limit) == file.page(topic_id, at, 3, limit)
    file.close()
    directory.cleanup()
