import pytest

from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.schedules.entries import Scheduled
from tapemq_broker.core.schedules.schedule import Schedule
from tapemq_broker.server.durability import LogGone
from tapemq_broker.server.schedules.shelf import Volume
from tests.support.scheduled_broker import scheduled_broker


def test_a_volume_is_of_use_once_it_is_ready() -> None:
    volume = Volume(7, "orders")
    with pytest.raises(Refused, match="being built") as refused:
        volume.check_ready()
    assert refused.value.refusal.name == "overloaded"
    assert not volume.may_be_used()
    volume.is_ready = True
    volume.check_ready()
    volume.damage = "bits"
    with pytest.raises(Refused, match="'orders': bits") as refused:
        volume.check_ready()
    assert refused.value.refusal.name == "storage_failed"


def test_loading_forgets_what_the_log_says_already() -> None:
    volume = Volume(7, "orders")
    volume.is_ready = True
    volume.book.recent.scheduled(0, Scheduled(Schedule(1, 9, 0, b"", b"", 0)))
    volume.begin_loading()
    assert not volume.is_ready
    assert volume.book.recent.find(1) is None


def test_what_is_refused_keeps_no_room_from_others() -> None:
    volume = Volume(7, "orders")
    volume.is_ready = True
    volume.book.recent.scheduled(0, Scheduled(Schedule(1, 9, 0, b"", b"", 0)))
    volume.refuse("no such zone")
    assert (volume.damage, volume.may_be_used()) == ("no such zone", False)
    assert volume.book.recent.backlog.size_bytes == 0


async def test_the_shelf_counts_and_waits() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        await broker.later(b"b", 60)
        shelf = broker.schedules.shelf
        assert shelf.pending == 2
        (volume,) = shelf.volumes.values()
        await shelf.durable(volume, 2)
        volume.is_gone = True
        with pytest.raises(LogGone):
            await shelf.durable(volume, 2)
        volume.is_gone = False
