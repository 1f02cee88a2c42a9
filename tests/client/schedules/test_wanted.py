from tapemq.publishing.item import Item
from tapemq.schedules.parcel import Parcel
from tapemq.schedules.passage import Target
from tapemq.schedules.plan import Plan
from tapemq.schedules.receipt import ScheduleReceipt
from tapemq.schedules.wanted import Wanted

RECEIPT = ScheduleReceipt("t", 0, 1, None, False, False)


async def test_the_first_outcome_counts() -> None:
    wanted = Wanted(Item(b"v", None, b""), None, Plan())
    wanted.resolve(RECEIPT)
    wanted.fail(ZeroDivisionError())
    assert wanted.future.result() is RECEIPT


async def test_it_is_sent_when_its_parcel_is() -> None:
    wanted = Wanted(Item(b"v", None, b""), None, Plan())
    wanted.withdraw()  # it is in none yet
    assert not wanted.is_sent
    parcel = Parcel("t", Target(1, 0))
    parcel.add(wanted)
    assert not wanted.is_sent
    parcel.is_sent = True
    assert wanted.is_sent
