import pytest

import tapemq
from tapemq import sync
from tapemq.wire import messages as m
from tests.support.blocking import BrokerThread


def test_connect_says_who_it_is(thread: BrokerThread) -> None:
    url = thread.broker.url
    with sync.connect(url, name="billing-7", namespace="test") as client:
        assert client.name == "billing-7"
    with sync.connect(url) as client:
        assert client.name == thread.received(m.Hello, 2)[1].client != ""
    hello = thread.received(m.Hello)[0]
    assert (hello.client, hello.namespace, hello.versions) == ("billing-7", "test", [1])


def test_connect_fails_in_time_with_the_reason() -> None:
    with BrokerThread() as thread:
        url = thread.broker.url
    with pytest.raises(tapemq.ConnectionLost, match=r"within 0\.05 s"):
        sync.connect(url, connect_timeout=0.05)


@pytest.mark.parametrize("timeout", [0, -1.0, float("inf"), float("nan")])
def test_timeout_is_a_number_of_seconds(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout is"):
        sync.connect(timeout=timeout)
