import asyncio

import pytest

import tapemq
from tapemq.schedules.underway import Underway
from tests.support.scheduled_broker import scheduled_broker


async def test_only_what_is_under_way_is_waited_for() -> None:
    underway = Underway()
    assert await underway.drain(0)
    with underway.call():
        draining = asyncio.create_task(underway.drain(60))
        await asyncio.sleep(0)
        assert not await underway.drain(0)
        assert not draining.done()
    assert await draining
    assert await underway.drain(0)


async def test_a_call_that_fails_is_over() -> None:
    underway = Underway()
    with pytest.raises(ZeroDivisionError), underway.call():
        raise ZeroDivisionError
    assert await underway.drain(0)


async def test_closing_the_client_waits_for_what_is_being_scheduled() -> None:
    async with scheduled_broker() as broker:
        delayed = asyncio.create_task(broker.client.publish("t", b"x", delay=60))
        recurring = asyncio.create_task(broker.client.schedule("t", b"x", every=60))
        await asyncio.sleep(0)
        await broker.client.close()
        receipts = await asyncio.gather(delayed, recurring)
        assert sorted(receipt.schedule_id for receipt in receipts) == [1, 2]
        with pytest.raises(tapemq.Closed):
            await broker.client.schedule("t", b"x", every=60)
