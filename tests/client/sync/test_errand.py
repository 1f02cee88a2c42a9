from collections.abc import Generator
from typing import Any

import pytest

from tapemq.errors import ConnectionLost, Error, RequestRefused, TopicNotFound
from tapemq.sync.errand import Errand
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.talk import Talk


class Trip:
    """An errand of two requests, and what came of it."""

    def __init__(self, *requests: Any) -> None:
        self.talk = Talk()
        self.answers: list[Any] = []
        self.ends: list[Error | None] = []
        self.requests = requests or (m.ListTopics(), m.DescribeTopic("t"))
        self.errand = Errand(self.talk, self._steps(), self.ends.append)

    def _steps(self) -> Generator[Any, Any, None]:
        for request in self.requests:
            self.answers.append((yield request))

    def answer(self, message: Any) -> None:
        ((_, correlation),) = self.talk.heard()
        self.talk.say(message, correlation)


def test_each_request_waits_for_the_answer_before() -> None:
    trip = Trip()
    trip.errand.start()
    trip.answer(m.Names(["t"]))
    assert trip.ends == []
    trip.answer(m.Topic("t", 1, 1, 1, {}))
    assert trip.ends == [None]
    assert [type(answer) for answer in trip.answers] == [m.Names, m.Topic]
    assert trip.errand.is_over


def test_refusal_ends_it() -> None:
    trip = Trip()
    trip.errand.start()
    trip.answer(m.Failure(wire.UNKNOWN_TOPIC.code, "no"))
    assert isinstance(trip.ends[0], TopicNotFound)
    assert trip.talk.heard() == []


def test_lost_connection_ends_it() -> None:
    trip = Trip()
    trip.errand.start()
    trip.talk.end()
    assert isinstance(trip.ends[0], ConnectionLost)
    gone = Trip()
    gone.talk.abort()
    gone.errand.start()
    assert isinstance(gone.ends[0], ConnectionLost)


def test_stopped_one_goes_no_further() -> None:
    trip = Trip()
    trip.errand.start()
    trip.errand.stop()
    trip.answer(m.Names([]))
    assert trip.ends == []
    assert trip.talk.heard() == []


@pytest.mark.parametrize("partitions", [-1])
def test_request_that_cannot_be_said_is_refused(partitions: int) -> None:
    trip = Trip(m.CreateTopic("t", partitions))
    trip.errand.start()
    assert isinstance(trip.ends[0], RequestRefused)
