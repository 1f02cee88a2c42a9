from typing import Any

import pytest

from tapemq.errors import Error, TopicNotFound
from tapemq.sync.asking import Asking
from tapemq.sync.promise import Promise
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import LONG_S, BrokerThread
from tests.support.fake_broker import Reaction


def ask(thread: BrokerThread, request: Any) -> tuple[Promise[Any], Any]:
    link, shared = thread.link()
    answer: Promise[Any] = Promise()
    with shared.lock, shared.turn:
        Asking(link, shared, request, answer.settle).start()
    return answer, link


@pytest.mark.parametrize(
    "reactions",
    [
        (),
        (Reaction.LOSE, Reaction.CUT),
        (m.Failure(wire.OVERLOADED.code, "busy"),),
        (m.Failure(wire.DEADLINE_EXCEEDED.code, "late"),),
    ],
    ids=["at once", "after losses", "overloaded", "late"],
)
def test_answer_comes_in_the_end(thread: BrokerThread, reactions: tuple[Any, ...]) -> None:
    thread.react(m.DescribeTopic, *reactions)
    answer, link = ask(thread, m.DescribeTopic("t", create=True))
    assert answer.wait(LONG_S)
    assert answer.result().topic == "t"
    assert len(thread.received(m.DescribeTopic)) == 1 + len(reactions)
    link.close()


def test_final_refusal_is_an_answer(thread: BrokerThread) -> None:
    answer, link = ask(thread, m.DescribeTopic("t"))
    assert answer.wait(LONG_S)
    with pytest.raises(TopicNotFound):
        answer.result()
    link.close()


def test_other_broker_is_gone_to(thread: BrokerThread) -> None:
    with BrokerThread() as other:
        address = f"127.0.0.1:{other.broker.port}"
        thread.react(m.ListTopics, m.Failure(wire.NOT_HERE.code, "", address=address))
        answer, link = ask(thread, m.ListTopics())
        assert answer.wait(LONG_S)
        assert len(other.received(m.ListTopics)) == 1
        link.close()


def test_stopped_one_does_not_call_back(thread: BrokerThread) -> None:
    link, shared = thread.link()
    answers: list[Error | Any] = []
    thread.react(m.ListTopics, Reaction.HOLD)
    with shared.lock, shared.turn:
        asking = Asking(link, shared, m.ListTopics(), answers.append)
        asking.start()
    thread.received(m.ListTopics)
    with shared.lock, shared.turn:
        asking.stop()
    thread.release()
    link.call(m.ListTopics(), LONG_S)
    assert answers == []
    link.close()
