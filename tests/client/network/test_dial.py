import pytest

from tapemq.network.dial import dial
from tapemq.network.url import Address
from tests.support.fake_broker import FakeBroker
from tests.support.sdk import HELLO, address_of

pytestmark = pytest.mark.both_loops


async def test_dial_connects() -> None:
    async with FakeBroker() as broker:
        connection = await dial(address_of(broker), False, HELLO)
        await connection.opened
        connection.close()
        await connection.lost


async def test_nobody_listens() -> None:
    async with FakeBroker() as broker:
        address = address_of(broker)
    with pytest.raises(OSError, match="onnect"):
        await dial(address, False, HELLO)


async def test_tls_to_a_port_without_it_fails() -> None:
    async with FakeBroker() as broker:
        with pytest.raises(OSError):  # noqa: PT011  (the loops word it differently)
            await dial(Address("localhost", broker.port), True, HELLO)
