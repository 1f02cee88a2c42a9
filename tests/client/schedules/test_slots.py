import asyncio

import pytest

from tapemq.batch import Columns, decode_columns, decode_prefix
from tapemq.batch.expiry import EXPIRY
from tapemq.batch.extras import encode_extras
from tapemq.publishing.item import Item
from tapemq.schedules.slots import IN_FLIGHT, Slot, Slots
from tapemq.wire import messages as m
from tests.support.scheduled_broker import scheduled_broker

ITEM = Item(b"v", None, b"")


def sequence(slot: Slot) -> tuple[int, int]:
    prefix = decode_prefix(slot.encode([ITEM], 0))
    return prefix.producer_id, prefix.first_sequence


def test_a_slot_goes_on_when_the_broker_has_it() -> None:
    slot = Slot(m.Producer(7, 0))
    assert sequence(slot) == sequence(slot) == (7, 0)
    slot.settled(3)
    assert sequence(slot) == (7, 3)
    slot.restart(m.Producer(8, 0))
    assert sequence(slot) == (8, 0)


def test_records_with_and_without_key_or_headers_share_a_body() -> None:
    items = [ITEM, Item(None, b"k", b""), Item(b"w", None, encode_extras({"a": 1}), expires=True)]
    body = Slot(m.Producer(7, 0)).encode(items, 0)
    columns = Columns([b"v", None, b"w"], [None, b"k", None], [item.extras for item in items])
    assert decode_columns(body) == columns
    assert decode_prefix(body).flags & EXPIRY


async def test_what_did_not_end_well_is_not_used_again() -> None:
    async with scheduled_broker() as broker:
        slots = Slots(broker.client._link)
        async with slots.taken(5) as first:
            pass
        async with slots.taken(5) as second:
            assert second is first
        with pytest.raises(ZeroDivisionError):
            async with slots.taken(5):
                raise ZeroDivisionError
        async with slots.taken(5) as third:
            assert third is not first


async def test_so_many_are_taken_at_a_time() -> None:
    async with scheduled_broker() as broker:
        slots = Slots(broker.client._link)
        taken = most = 0

        async def take() -> None:
            nonlocal taken, most
            async with slots.taken(5):
                taken += 1
                most = max(most, taken)
                await asyncio.sleep(0)
                taken -= 1

        await asyncio.gather(*(take() for _ in range(3 * IN_FLIGHT)))
        assert most <= IN_FLIGHT
