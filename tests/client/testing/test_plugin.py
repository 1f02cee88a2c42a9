from tapemq.testing import Broker
from tapemq.testing.plugin import tapemq_broker

__all__ = ["tapemq_broker"]  # pytest finds the fixture here, as it does by ``pytest_plugins``


async def test_fixture_is_a_broker_for_one_test(tapemq_broker: Broker) -> None:
    async with await tapemq_broker.connect() as client:
        assert (await client.publish("t", b"0")).offset == 0
