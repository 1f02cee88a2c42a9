import pytest

from tapemq.batch import LogId, Role
from tapemq_broker.server.durability import Durability, LogGone

LOG = LogId(7, 0, Role.SCHEDULE)
OTHER = LogId(8, 0, Role.SCHEDULE)


async def test_futures_are_done_when_their_offset_is_durable() -> None:
    durability = Durability()
    first, second, other = (
        durability.wait(log, at) for log, at in ((LOG, 2), (LOG, 3), (OTHER, 1))
    )
    durability.release(LOG, 1)
    assert not first.done()
    durability.release(LOG, 2)
    assert (first.done(), second.done(), other.done()) == (True, False, False)
    durability.release(LOG, 9)
    assert second.done()
    durability.release(LOG, 10)


async def test_who_waits_for_a_removed_log_is_told() -> None:
    durability = Durability()
    future, cancelled = durability.wait(LOG, 1), durability.wait(LOG, 1)
    cancelled.cancel()
    durability.drop(LOG)
    durability.drop(OTHER)
    with pytest.raises(LogGone):
        await future
