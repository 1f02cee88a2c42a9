from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

import tapemq
import tapemq.sync
from tapemq.timeouts import check_positive_timeout, check_timeout
from tests.support.fake_broker import FakeBroker
from tests.support.sdk import client_of

YEARS_34_S = 2.0**30


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [(0, 0.0), (-1.5, -1.5), (Fraction(1, 2), 0.5), (float("inf"), YEARS_34_S), (1e30, YEARS_34_S)],
)
def test_seconds_are_what_they_are_and_for_ever_is_very_long(timeout: Any, seconds: float) -> None:
    assert check_timeout("timeout", timeout) == seconds


@pytest.mark.parametrize("timeout", [None, "5", timedelta(seconds=5), float("nan")], ids=str)
def test_what_is_no_number_is_refused(timeout: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="linger is a number of seconds, not"):
        check_timeout("linger", timeout)


@pytest.mark.parametrize("timeout", [0, -1.0])
def test_some_are_more_than_none(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout is more than 0 seconds"):
        check_positive_timeout("timeout", timeout)


@pytest.mark.both_loops
async def test_nothing_is_sent_with_a_timeout_that_is_none() -> None:
    """The record was in the log, and the call raised TypeError: made again, there were two."""
    timeout: Any = timedelta(seconds=5)
    async with FakeBroker() as broker, await client_of(broker) as client:
        with pytest.raises(TypeError, match="number of seconds"):
            await client.publish("t", b"0", timeout=timeout)
        with pytest.raises(TypeError, match="number of seconds"):
            await client.publish("t", b"0", timeout=timeout, delay=60.0)
        with pytest.raises(TypeError, match="number of seconds"):
            await client.close(timeout=timeout)
        assert (await client.publish("t", b"1")).offset == 0


@pytest.mark.both_loops
async def test_a_client_may_wait_for_ever() -> None:
    """Opening the topic failed in a task that nobody looked at: publish() waited for ever."""
    async with FakeBroker() as broker, await client_of(broker, timeout=float("inf")) as client:
        assert (await client.publish("t", b"0", timeout=10.0)).offset == 0
        assert await client.topics() == ["t"]
        async with client.producer("t", timeout=float("inf")) as producer:
            await producer.send(b"1")


@pytest.mark.parametrize("option", ["timeout", "connect_timeout"])
@pytest.mark.parametrize("timeout", [None, "5", 0], ids=str)
async def test_connect_checks_its_timeouts(option: str, timeout: Any) -> None:
    for connect in (tapemq.connect, tapemq.sync.connect):
        with pytest.raises((TypeError, ValueError), match=f"^{option} "):
            await connect("tapemq://localhost:1", **{option: timeout})  # type: ignore[misc]
