"""Admin calls as generators; test_admin.py has them with a broker."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from tapemq import inquiries
from tapemq.inquiries import Inquiry, Step
from tapemq.wire import messages as m

T = TypeVar("T")

TOPIC = m.Topic("t", 7, 130, 1, {})


def carry_out(inquiry: Inquiry[T], answer: Callable[[Any], Any]) -> tuple[T, list[Step]]:
    """The result, and the steps that it took."""
    steps: list[Step] = []
    try:
        steps.append(next(inquiry))
        while True:
            steps.append(inquiry.send([answer(request) for request in steps[-1].requests]))
    except StopIteration as end:
        return end.value, steps


def test_names_come_in_pages() -> None:
    pages = {"": m.Names(["a", "b"], True), "b": m.Names(["c"], True), "c": m.Names([], True)}
    names, steps = carry_out(inquiries.topics(), lambda request: pages[request.after])
    assert names == ["a", "b", "c"]
    assert len(steps) == 3


def test_partitions_are_asked_about_some_at_a_time() -> None:
    def answer(request: Any) -> Any:
        if isinstance(request, m.DescribeTopic):
            return TOPIC
        end = request.partition
        return m.Partition(0, end, end, end, 0, 0, 0, 0)

    infos, steps = carry_out(inquiries.partitions("t"), answer)
    assert [info.next_offset for info in infos] == [info.partition for info in infos]
    assert [len(step.requests) for step in steps] == [1, 64, 64, 2]


@pytest.mark.parametrize(
    ("inquiry", "repeatable"),
    [
        (inquiries.create_topic("t", 1, {}), False),
        (inquiries.alter_topic("t", 2, {}), True),
        (inquiries.delete_topic("t"), False),
        (inquiries.delete_group("t", "g"), False),
        (inquiries.alter_group("t", "g", hold=True), True),
        (inquiries.seek_group("t", "g", "latest", 0), True),
    ],
)
def test_what_must_not_be_done_twice_says_so(inquiry: Inquiry[Any], repeatable: bool) -> None:
    def answer(request: Any) -> Any:
        return m.Done() if "Group" in type(request).__name__ else TOPIC

    _, steps = carry_out(inquiry, answer)
    assert steps[-1].repeatable is repeatable


def test_name_is_checked_before_anything_is_asked() -> None:
    with pytest.raises(ValueError, match="topic"):
        next(inquiries.delete_topic("no such name"))


@pytest.mark.parametrize("partitions", [0, -1])
def test_partitions_are_raised_to_one_at_least(partitions: int) -> None:
    with pytest.raises(ValueError, match="partitions"):
        next(inquiries.alter_topic("t", partitions, {}))
