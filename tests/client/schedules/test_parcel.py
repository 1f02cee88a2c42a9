import asyncio

from tapemq.infos import time_of
from tapemq.publishing.item import Item
from tapemq.schedules.due import Due
from tapemq.schedules.parcel import Parcel
from tapemq.schedules.passage import Target
from tapemq.schedules.plan import Plan
from tapemq.schedules.wanted import Wanted
from tapemq.wire import messages as m
from tapemq.wire.entries import unpack_times
from tapemq.wire.limits import SCHEDULES_MAX


def wanted(due: Due, size_bytes: int = 1, key: bytes = b"") -> Wanted:
    return Wanted(Item(bytes(size_bytes), None, b""), None, Plan(due, key))


def filled(*some: Wanted) -> Parcel:
    parcel = Parcel("t", Target(7, 3))
    for one in some:
        assert parcel.admits(one)
        parcel.add(one)
    return parcel


async def test_each_is_due_so_much_behind_the_first() -> None:
    some = [wanted(Due(due_us)) for due_us in (5_000, 2_000, 9_000)]
    parcel = filled(*some)
    message = parcel.message(b"body")
    assert (message.topic_id, message.partition, message.due_us) == (7, 3, 2_000)
    assert unpack_times(message.later_us) == [3_000, 0, 7_000]
    parcel.resolve(m.Scheduled(11, 2_000))
    receipts = [one.future.result() for one in some]
    assert [receipt.schedule_id for receipt in receipts] == [11, 12, 13]
    assert [receipt.due for receipt in receipts] == [time_of(due) for due in (5_000, 2_000, 9_000)]


async def test_delays_count_from_the_arrival() -> None:
    some = [wanted(Due(0, delay_ms)) for delay_ms in (5, 2)]
    parcel = filled(*some)
    message = parcel.message(b"body")
    assert (message.due_us, message.delay_ms) == (0, 2)
    assert unpack_times(message.later_us) == [3_000, 0]
    parcel.resolve(m.Scheduled(1, 1_000_000))
    assert [one.future.result().due for one in some] == [time_of(1_003_000), time_of(1_000_000)]


async def test_a_retry_of_what_has_come_has_no_time() -> None:
    one = wanted(Due(5))
    parcel = filled(one)
    assert parcel.message(b"body").later_us == b""
    parcel.resolve(m.Scheduled(1, 0, duplicate=True))
    assert one.future.result().due is None


async def test_so_much_fits() -> None:
    parcel = filled(*(wanted(Due(5)) for _ in range(SCHEDULES_MAX)))
    assert not parcel.admits(wanted(Due(5)))
    parcel = filled(wanted(Due(5), 2**20))
    assert not parcel.admits(wanted(Due(5)))
    parcel = filled(wanted(Due(5)))
    parcel.is_sent = True
    assert not parcel.admits(wanted(Due(5)))


async def test_what_is_withdrawn_before_it_is_sent_stays_here() -> None:
    first, second = wanted(Due(5)), wanted(Due(6))
    parcel = filled(first, second)
    first.withdraw()
    assert parcel.items == [second.item]
    assert parcel.wanted == [second]
    second.withdraw()
    assert parcel.is_empty


async def test_when_nobody_waits_any_more_it_is_given_up() -> None:
    first, second = wanted(Due(5)), wanted(Due(6))
    parcel = filled(first, second)
    parcel.task = asyncio.create_task(asyncio.Event().wait())  # type: ignore[arg-type]
    parcel.is_sent = True
    first.withdraw()
    await asyncio.sleep(0)
    assert not parcel.task.done()
    second.withdraw()
    assert len(parcel.items) == 2
    await asyncio.wait([parcel.task])
    assert parcel.task.cancelled()


async def test_what_fails_fails_for_all() -> None:
    first, second = wanted(Due(5)), wanted(Due(6))
    filled(first, second).fail(ZeroDivisionError())
    assert all(isinstance(one.future.exception(), ZeroDivisionError) for one in (first, second))
