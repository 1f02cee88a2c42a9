import pytest

import tapemq
from tests.support.scheduled_broker import scheduled_broker


async def test_the_schedules_of_a_topic() -> None:
    async with scheduled_broker() as broker:
        schedules = broker.client.schedules("t")
        receipt = await broker.later(b"v", 60, key="k", headers={"h": "x"}, schedule_key="s")
        assert (await schedules.get(receipt.schedule_id)).due == receipt.due
        assert await schedules.record(key="s") == tapemq.ScheduledRecord(b"v", b"k", {"h": "x"})
        assert [one.schedule_id async for one in schedules.list()] == [receipt.schedule_id]
        assert await schedules.count() == 1
        await schedules.cancel(receipt.schedule_id)
        assert [one async for one in schedules.list()] == []
        assert await schedules.count() == 0
        with pytest.raises(tapemq.ScheduleNotFound):
            await schedules.cancel(receipt.schedule_id)


async def test_a_strange_topic_is_said_to_be() -> None:
    async with scheduled_broker() as broker:
        with pytest.raises(tapemq.TopicNotFound):
            await broker.client.schedules("nowhere").count()
        with pytest.raises(ValueError, match="topic"):
            broker.client.schedules("no such/name")
