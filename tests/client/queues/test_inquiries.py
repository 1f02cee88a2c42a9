"""Admin calls about queues as generators; test_admin.py has them with a broker."""

from tapemq.queues import inquiries
from tapemq.queues.inquiries import Choice
from tapemq.wire import messages as m
from tapemq.wire.entries import Run, unpack_runs

TOPIC = m.Topic("t", 7, 1, 1, {})


def test_offsets_go_as_runs() -> None:
    inquiry = inquiries.redrive("t", "g", Choice(offsets=[5, 4, 9, 4]), False, None)
    assert next(inquiry).requests == [m.DescribeTopic("t")]
    step = inquiry.send([TOPIC])
    assert step.requests == [m.Redrive(7, "g", 0)]
    assert unpack_runs(step.payload) == [Run(4, 2), Run(9, 1)]
    assert not step.repeatable


def test_no_offsets_are_no_request() -> None:
    inquiry = inquiries.discard("t", "g", Choice(offsets=[]), False)
    next(inquiry)
    try:
        inquiry.send([TOPIC])
    except StopIteration as end:
        assert end.value == 0  # noqa: PT017
    else:
        raise AssertionError
