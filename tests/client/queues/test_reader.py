"""The shells' tests show it at work: tests/client/queues and tests/client/sync."""

import pytest

from tapemq.errors import Closed, TopicNotFound
from tapemq.network.link_state import LinkState
from tapemq.network.url import Address, Target
from tapemq.queues.options import queue_options
from tapemq.queues.reader import QueueReader
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tapemq.wire.entries import Tokens, pack_tokens
from tests.support import queueing
from tests.support.sdk import HELLO, QuickClock
from tests.support.talk import Talk

NOTHING = memoryview(b"")


class Desk:
    def __init__(self) -> None:
        self.seen: list[object] = []

    def leased(self, message: m.Leased, payload: memoryview) -> None:
        self.seen.append(message)

    def lose(self, tokens: object, reason: str) -> None:
        self.seen.append((tokens, reason))

    def flush(self) -> None:
        self.seen.append("flush")

    def cut_off(self) -> None:
        self.seen.append("cut off")


class OfNobody(QueueReader[Talk]):
    def __init__(self) -> None:
        target = Target((Address("here", 1),), False)
        super().__init__(LinkState(target, HELLO, QuickClock()), "t", 1.0, "queue", "with")
        self.failure = None
        self.options = queue_options(
            "t", group="g", consumer="me", start="earliest", prefetch=5, prefetch_bytes=9,
            timeout_s=1.0,
        )  # fmt: skip
        self.intake = queueing.intake()
        self.desk = Desk()  # type: ignore[assignment]
        self._topic = m.Topic("t", 7, 1, 1, {})
        self.progress = 0

    def link_up(self, connection: Talk) -> None: ...

    def _stop(self) -> None: ...

    def _progressed(self) -> None:
        self.progress += 1


@pytest.fixture
def reader() -> OfNobody:
    return OfNobody()


def seen(reader: OfNobody) -> list[object]:
    return reader.desk.seen  # type: ignore[attr-defined, no-any-return]


def test_it_asks_for_what_the_options_say(reader: OfNobody) -> None:
    (request,) = reader._plan()
    assert (request.topic_id, request.group, request.credit_records) == (7, "g", 5)
    reader._subscribed(3, request)
    assert reader.intake.subscription == 3


def test_what_is_pushed_goes_to_the_desk(reader: OfNobody) -> None:
    leased = m.Leased(1, 0, 1, b"", 1000)
    reader._pushed(leased, NOTHING)
    lost = memoryview(pack_tokens([(1, 0, 2)]))
    reader._pushed(m.LeaseLost(1, "expired"), lost)
    assert seen(reader)[0] is leased
    assert seen(reader)[1][1] == "expired"  # type: ignore[index]
    assert [*seen(reader)[1][0]] == [Tokens(1, 0, 2)]  # type: ignore[index]
    assert reader.progress == 2


def test_it_ends_when_the_broker_says_so(reader: OfNobody) -> None:
    reader._pushed(m.Detached(1, 0, 0, wire.UNKNOWN_TOPIC.code, "deleted"), NOTHING)
    assert isinstance(reader.failure, TopicNotFound)
    assert seen(reader) == ["flush", "cut off"]


def test_what_is_settled_is_said_before_it_is_cut_off(reader: OfNobody) -> None:
    reader.fail(Closed("enough"))
    assert seen(reader) == ["flush", "cut off"]
    reader.link_down(Closed("gone"))
    assert seen(reader) == ["flush", "cut off", "cut off"]
