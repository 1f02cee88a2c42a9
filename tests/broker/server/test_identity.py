"""Who a broker is, as its clients hear it."""

from tapemq.wire import messages as m
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server


async def test_clients_and_operators_hear_the_same() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        status = await client.ask(m.BrokerStatus(), m.Status)
        assert status.software == server.status().software
        assert client.welcome.boot_epoch == server.status().boot_epoch == 1
