from typing import Any

import pytest

from tapemq_broker.core import effects as e
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.refusal import Refusal
from tests.support.core.queueing import (
    consume,
    explanation,
    later,
    queue_world,
    send,
    settle,
    settled,
)
from tests.support.core.world import World


def leased(records: int = 3, credit: int = 10, **settings: Any) -> World:
    world = queue_world(records)
    consume(world, records=credit, **settings)
    return world


def test_caught_up() -> None:
    world = leased(0)
    assert explanation(world).state == "caught_up"


def test_no_consumers() -> None:
    world = leased()
    world.run(world.core.queues.session_closed(1, 0))
    assert explanation(world).state == "no_consumers"


def test_delivering_or_no_credit() -> None:
    world = leased(3, 2)
    assert explanation(world).state == "delivering"
    send(world)
    found = explanation(world)
    assert found.state == "no_credit"
    assert found.sentences[-1] == ("1 record is ready, 2 leased, 0 wait for a retry, 0 are dead.")


def test_paused() -> None:
    assert explanation(leased(paused=True)).state == "paused"


def test_retrying() -> None:
    world = leased(1)
    settle(world, Verb.NACK, (send(world).lease_id, 0, 1), delay_ms=2500)
    assert "until the disk knows" in explanation(world).sentences[0]
    world.sync()
    later(world, 1.0)
    found = explanation(world)
    assert (found.state, found.sentences[0]) == (
        "retrying",
        "All records wait for a retry; the next one comes in 1.5 s.",
    )


@pytest.mark.parametrize(
    ("verb", "settings", "state"),
    [
        (Verb.REJECT, {"dead_max": 1}, "dead_full"),
        (Verb.NACK, {"retry_max": 1}, "retry_full"),
    ],
)
def test_limits(verb: Verb, settings: dict[str, int], state: str) -> None:
    world = leased(3, 2, **settings)
    settled(world, verb, (send(world).lease_id, 0, 1))
    world.run(world.core.queues.credit(e.SubscriptionKey(1, 1), 5, 0))
    assert not world.leasing
    assert explanation(world).state == state


def test_damaged() -> None:
    world = leased()
    lease = world.leasing.popleft()
    world.run(world.core.queues.lease_failed(lease, Refusal("storage_failed", "rot at 5")))
    assert not world.leasing
    found = explanation(world)
    assert (found.state, found.sentences[0]) == (
        "damaged",
        "Partition 0 cannot be read: rot at 5",
    )


@pytest.mark.parametrize(
    ("look_ahead", "state", "remarks"),
    [(10, "blocked_by_key", 0), (2, "blocked_by_key", 1), (1, "look_ahead_full", 0)],
)
def test_lanes(look_ahead: int, state: str, remarks: int) -> None:
    world = leased(4, 10, key_lanes=True, look_ahead=look_ahead)
    asked = world.asking.popleft()
    keys = [b"a"] * 3 + [b"b"] if look_ahead > 1 else [b"b", b"c", b"d", b"e"]
    world.run(world.core.queues.keys_read(asked.log, asked.group, asked.first, keys))
    send(world)
    found = explanation(world)
    assert found.state == state
    beyond = [text for text in found.sentences if "beyond the look-ahead" in text]
    assert len(beyond) == remarks
    assert all("1 record is parked beyond the look-ahead of 2" in text for text in beyond)
    assert all("behind 1 key, most of all b'a' (1);" in text for text in beyond)
