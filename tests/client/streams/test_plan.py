import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.streams.credit import Grant
from tapemq.streams.intake import Intake
from tapemq.streams.plan import StreamOptions, plan_subscriptions
from tapemq.streams.seek import Seek
from tapemq.streams.start import WireStart
from tapemq.wire import messages as m


def options(group: str = "", partitions: tuple[int, ...] = ()) -> StreamOptions:
    return StreamOptions(
        topic="t",
        group=group,
        member="me",
        start=WireStart("earliest"),
        partitions=partitions,
        prefetch=Grant(1000, 8000),
        hold=True,
        commit_interval_s=1.0,
        timeout_s=2.5,
    )


def topic(partitions: int = 1) -> m.Topic:
    return m.Topic("t", 5, partitions, 1, {})


def test_group_has_one_subscription() -> None:
    assert plan_subscriptions(options("g"), topic(3), {0: 77}) == [
        m.Subscribe(0, 5, "g", "earliest", 0, [], "me", True, 1000, 8000, 2500)
    ]


def test_group_may_read_some_partitions() -> None:
    (request,) = plan_subscriptions(options("g", (1, 2)), topic(3), {})
    assert request.partitions == [1, 2]


def test_reader_starts_where_it_was_asked_to() -> None:
    (request,) = plan_subscriptions(options(), topic(1), {})
    assert (request.partitions, request.start, request.group) == ([0], "earliest", "")


def test_reader_goes_on_at_each_partition_position() -> None:
    requests = plan_subscriptions(options(), topic(3), {1: 50, 2: 7})
    assert [(r.partitions, r.start, r.start_value) for r in requests] == [
        ([0], "earliest", 0),
        ([2], "offset", 7),
        ([1], "offset", 50),
    ]
    assert {(r.credit_records, r.credit_bytes) for r in requests} == {(333, 2666)}


def test_partitions_that_came_later_are_read_from_their_beginning() -> None:
    wish = options()._replace(start=WireStart("latest"))
    requests = plan_subscriptions(wish, topic(3), {0: 50}, 2)
    assert [(r.partitions, r.start) for r in requests] == [
        ([1], "latest"),
        ([2], "earliest"),
        ([0], "offset"),
    ]


def test_partitions_that_are_sought_elsewhere_come_first() -> None:
    seek = Seek(Intake("t"), [1, 7], WireStart("latest"))
    requests = plan_subscriptions(options(), topic(3), {0: 50, 1: 7}, seek=seek)
    assert [(r.partitions, r.start, r.start_value) for r in requests] == [
        ([1], "latest", 0),
        ([2], "earliest", 0),
        ([0], "offset", 50),
    ]


def test_reader_of_some_partitions_reads_no_others() -> None:
    requests = plan_subscriptions(options(partitions=(2,)), topic(3), {2: 9})
    assert [(r.partitions, r.start_value) for r in requests] == [([2], 9)]


@pytest.mark.parametrize("partitions", [1, 16, 17, 32, 33, 500, 1024])
@given(data=st.data())
def test_many_partitions_share_subscriptions(partitions: int, data: st.DataObject) -> None:
    offsets = st.dictionaries(st.integers(0, partitions - 1), st.integers(0, 1000))
    positions = data.draw(offsets)
    requests = plan_subscriptions(options(), topic(partitions), positions)
    assert len(requests) <= 34
    read = [partition for request in requests for partition in request.partitions]
    assert sorted(read) == list(range(partitions))
    for request in requests:
        assert len(request.partitions) <= 64
        for partition in request.partitions:
            if request.start == "offset":
                assert request.start_value <= positions[partition]
            else:
                assert partition not in positions
