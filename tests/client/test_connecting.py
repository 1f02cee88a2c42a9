import pytest

import tapemq
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker

pytestmark = pytest.mark.both_loops


async def test_connect_says_who_it_is() -> None:
    async with FakeBroker() as broker:
        async with await tapemq.connect(broker.url, name="billing-7", namespace="test") as client:
            assert client.name == "billing-7"
        hello = broker.of(m.Hello)[0]
        assert (hello.client, hello.namespace, hello.versions) == ("billing-7", "test", [1])
        async with await tapemq.connect(broker.url) as client:
            assert client.name == broker.of(m.Hello)[1].client != ""


async def test_connect_fails_in_time_with_the_reason() -> None:
    async with FakeBroker() as broker:
        url = broker.url
    with pytest.raises(tapemq.ConnectionLost, match=r"within 0\.05 s"):
        await tapemq.connect(url, connect_timeout=0.05)


async def test_connect_to_what_is_no_broker_fails_at_once() -> None:
    async with FakeBroker() as broker:
        broker.react(m.Hello, m.Failure(wire.UNSUPPORTED_VERSION.code, "version 9 only"))
        with pytest.raises(tapemq.ProtocolViolation, match="version 9 only"):
            await tapemq.connect(broker.url)


@pytest.mark.parametrize("timeout", [0, -1.0, float("inf"), float("nan")])
async def test_timeout_is_a_number_of_seconds(timeout: float) -> None:
    """Else the first publish to a topic would wait for ever."""
    with pytest.raises(ValueError, match="timeout is"):
        await tapemq.connect(timeout=timeout)
