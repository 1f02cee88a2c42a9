"""Against the real broker; what the calls do is in tests/client/schedules."""

from collections.abc import Callable
from datetime import timedelta

import pytest

import tapemq
from tapemq import sync
from tests.support.scheduled_broker import START
from tests.support.scheduled_sync import blocking


async def test_schedules_are_looked_at_and_cancelled() -> None:
    def work(client: sync.Client, _: Callable[..., object]) -> None:
        first = client.publish("t", b"a", key="k", headers={"h": 1}, delay=60, schedule_key="mine")
        for n in range(3):
            client.publish("t", b"%d" % n, delay=timedelta(hours=1 + n))
        schedules = client.schedules("t")
        assert (schedules.topic, schedules.count()) == ("t", 4)
        info = schedules.get(key="mine")
        assert (info.schedule_id, info.due) == (first.schedule_id, START + timedelta(minutes=1))
        record = schedules.record(first.schedule_id)
        assert (record.value, record.key, record.headers) == (b"a", b"k", {"h": 1})
        assert [one.schedule_id for one in schedules.list()] == [1, 2, 3, 4]
        schedules.cancel(2)
        assert [one.schedule_id for one in schedules.list()] == [1, 3, 4]
        with pytest.raises(tapemq.ScheduleNotFound):
            schedules.get(2)
        with pytest.raises(ValueError, match="one of them"):
            schedules.cancel()

    await blocking(work)
