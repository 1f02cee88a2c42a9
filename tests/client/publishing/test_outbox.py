from typing import Any

import pytest

from tapemq import errors
from tapemq.errors import IndeterminateError
from tapemq.publishing.item import Item
from tapemq.publishing.outbox import Outbox, Pending
from tapemq.publishing.receipt import Receipt
from tapemq.wire import messages as m
from tests.support.shell import Hands, Shell, routed_shell
from tests.support.talk import Talk


class Waiting(Pending):
    def __init__(self) -> None:
        super().__init__("t")
        self.outcome: Any = None

    def resolve(self, receipt: Receipt) -> None:
        self.outcome = receipt

    def fail(self, error: Exception) -> None:
        self.outcome = error


class Scene:
    def __init__(self) -> None:
        self.hands = Hands()
        self.talk = Talk()
        self.hands.connection = self.talk
        self.shell = Shell(self.hands)
        self.outbox = Outbox(self.shell)

    def put(self, value: bytes, partition: int | None = 0) -> Waiting:
        pending = Waiting()
        self.outbox.put(Item(value, None, b""), partition, 0, pending)
        return pending

    def route(self) -> None:
        self.shell.routed(m.Producer(1, 0), m.Topic("t", 7, 2, 1, {}))
        self.outbox.route()
        self.hands.turn()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_records_that_waited_for_the_topic_go_first_and_together(scene: Scene) -> None:
    first = scene.put(b"0")
    wrong = scene.put(b"?", partition=5)
    scene.route()
    second = scene.put(b"1")
    ((message, correlation),) = scene.talk.heard()
    assert isinstance(message, m.Publish)
    assert isinstance(wrong.outcome, errors.PartitionNotFound)
    scene.talk.say(m.Receipt(4, 1, True, 9), correlation)
    assert first.outcome == Receipt("t", 0, 4, True, "written", 9)
    assert second.outcome is None


def test_what_was_not_sent_is_withdrawn(scene: Scene) -> None:
    unrouted = scene.put(b"0")
    assert scene.outbox.withdraw(unrouted)
    scene.route()
    assert scene.talk.heard() == []
    gathering = scene.put(b"1")
    error = scene.outbox.give_up(gathering, 1.5, " (a tree)")
    assert isinstance(error, errors.TimeoutError)
    assert "within 1.5 s (a tree)" in str(error)
    scene.hands.turn()
    assert scene.talk.heard() == []


@pytest.mark.parametrize("values", [[bytes(450)], [bytes(450), b"0"]], ids=["all", "most"])
def test_room_for_what_was_withdrawn_is_for_others(scene: Scene, values: list[bytes]) -> None:
    scene.talk.publish(m.Publish(1, 0, 0), [bytes(600)], lambda _: None)
    scene.route()
    large, *_ = [scene.put(value) for value in values]
    other = routed_shell(scene.hands)
    other.add(Item(b"1", None, b""), 1, 0)
    scene.hands.turn()
    assert len(scene.talk.heard()) == 1
    assert scene.outbox.withdraw(large)
    assert len(scene.talk.heard()) == len(values)


def test_withdrawing_what_was_refused_keeps_nobody_waiting(scene: Scene) -> None:
    wrong = scene.put(b"?", partition=5)
    scene.route()
    assert scene.outbox.withdraw(wrong)  # who waited for it was cancelled in that moment
    scene.put(b"0")
    scene.hands.turn()
    ((message, _),) = scene.talk.heard()
    assert isinstance(message, m.Publish)


def test_what_was_sent_is_indeterminate(scene: Scene) -> None:
    scene.route()
    sent = scene.put(b"0")
    scene.hands.turn()
    assert isinstance(scene.outbox.give_up(sent, 1.5, ""), IndeterminateError)


def test_failure_is_told_to_all(scene: Scene) -> None:
    waiting = scene.put(b"0")
    reason = errors.Closed("enough")
    scene.outbox.fail(reason)
    assert waiting.outcome is reason
    assert scene.shell.failure is reason
