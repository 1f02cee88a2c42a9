"""Every result, refusal and push of the core has a message."""

import typing

import pytest

from tapemq.wire import messages as m
from tapemq.wire.errors import ERRORS
from tapemq.wire.limits import TEXT_BYTES_MAX
from tapemq.wire.session import encode_message
from tapemq_broker.core import effects as e
from tapemq_broker.core import results as r
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.server import translate

KEY = e.SubscriptionKey(session=9, subscription=4)

ANSWERS = [
    (r.Done(), m.Done()),
    (r.TopicInfo("t", 7, 2, 3, {"a": 5}), m.Topic("t", 7, 2, 3, {"a": 5})),
    (r.NamesPage(["a", "b"], True), m.Names(["a", "b"], True)),
    (r.PublishResult(11, True, False, 99), m.Receipt(11, translate.DURABLE, False, 99)),
    (r.PublishResult(11, False, True, 0), m.Receipt(11, translate.WRITTEN, True, 0)),
    (r.ScheduleResult(7, 99, True, False), m.Scheduled(7, 99, True, False)),
    (r.ProducerIdentity(5, 1), m.Producer(5, 1)),
    (
        r.GroupInfo("stream", 1, 2, True, 3, 4, "who", 5),
        m.Group("stream", 1, 2, True, 3, 4, "who", 5),
    ),
    (r.Settled([(1, 5, 2), (2, 9, 1)]), m.Settled(3)),
    (
        r.QueueInfo(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, {"hold": True}, 13, 14, 15, 16, 17, 18),
        m.Queue(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, {"hold": True}, 13, 14, 15, 16, 17, 18),
    ),
    (r.Explanation("paused", ["It is."]), m.Explanation("paused", ["It is."])),
    (r.DeadPage([{"offset": 4}], 5, True), m.DeadPage(5, True)),
    (r.Affected(7), m.Affected(7)),
    (Refusal("disk_full", "full", 1.5), m.Failure(35, "full", 1500)),
]

PUSHES = [
    (e.Assign(KEY, 1, 22, 33, 2), m.Assigned(4, 1, 22, 33, 2)),
    (e.Revoke(KEY, 1, 22, 2.5), m.Revoke(4, 1, 22, 2500)),
    (
        e.Detach(KEY, 1, 22, Refusal("unknown_topic", "gone")),
        m.Detached(4, 1, 22, 20, "gone"),
    ),
]


@pytest.mark.parametrize(("result", "message"), ANSWERS)
def test_answers(result: r.Result | Refusal, message: m.Message) -> None:
    assert translate.answer(result) == message
    assert type(translate.answer(result)) is type(message)


@pytest.mark.parametrize(("effect", "message"), PUSHES)
def test_pushes(effect: e.Assign | e.Revoke | e.Detach, message: m.Message) -> None:
    assert translate.push(effect) == message
    assert type(translate.push(effect)) is type(message)


def test_no_result_is_forgotten() -> None:
    assert {type(result) for result, _ in ANSWERS} == {*typing.get_args(r.Result), Refusal}


def test_every_error_of_the_protocol_can_be_a_refusal() -> None:
    for kind in ERRORS.values():
        assert translate.failure(Refusal(kind.name, "why")).code == kind.code


@pytest.mark.parametrize("char", ["x", "\0", "\N{GRINNING FACE}"])
def test_a_reason_that_repeats_what_a_client_sent_still_fits(char: str) -> None:
    """A message that cannot be encoded would be taken for an error of the broker's own."""
    reason = Refusal("unknown_topic", f"there is no topic {char * TEXT_BYTES_MAX!r}")
    for message in (translate.failure(reason), translate.push(e.Detach(KEY, 1, 22, reason))):
        assert len(encode_message(message)) < 2 * TEXT_BYTES_MAX
        assert message.text.startswith("there is no topic")
