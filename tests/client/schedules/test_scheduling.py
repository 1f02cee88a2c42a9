from datetime import timedelta

import pytest

import tapemq
from tapemq.schedules import passage
from tests.support.scheduled_broker import START, scheduled_broker


async def test_a_delay_counts_from_the_arrival() -> None:
    async with scheduled_broker() as broker:
        receipt = await broker.client.publish("t", b"x", delay=timedelta(minutes=1))
        assert receipt.due == START + timedelta(minutes=1)
        now = await broker.client.publish("t", b"now", delay=0)
        assert now.due == START
        assert await broker.values(1) == [b"now"]


async def test_what_recurs_begins_one_interval_from_now_or_as_it_is_told() -> None:
    async with scheduled_broker() as broker:
        every = await broker.client.schedule("t", b"x", every=90)
        assert every.due == START + timedelta(seconds=90)
        start = START + timedelta(seconds=7)
        assert (await broker.client.schedule("t", b"x", every=90, start=start)).due == start
        cron = await broker.client.schedule("t", b"x", cron="15 * * * *")
        assert cron.due == START + timedelta(minutes=15)


async def test_one_of_cron_and_every_is_given() -> None:
    async with scheduled_broker() as broker:
        with pytest.raises(ValueError, match="one of them"):
            await broker.client.schedule("t", b"x")
        with pytest.raises(ValueError, match="one of them"):
            await broker.client.schedule("t", b"x", cron="* * * * *", every=5)
        with pytest.raises(tapemq.RequestRefused, match="Bad minute"):
            await broker.client.schedule("t", b"x", cron="99 * * * *")


async def test_a_client_that_is_closed_schedules_nothing() -> None:
    async with scheduled_broker() as broker:
        await broker.client.close()
        with pytest.raises(tapemq.Closed):
            await broker.client.publish("t", b"x", delay=1)


async def test_who_schedules_in_ever_new_topics_keeps_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passage, "SCHEDULERS_MAX", 2)
    async with scheduled_broker() as broker:
        client = broker.client
        for topic in ("t", "u", "t", "v"):
            await client.publish(topic, b"x", delay=60)
        assert list(client._schedulers) == ["t", "v"]
        assert (await client.publish("u", b"x", delay=60)).schedule_id == 2


async def test_a_time_to_live_counts_from_when_it_comes() -> None:
    async with scheduled_broker() as broker:
        await broker.client.publish("t", b"x", delay=60, ttl=5)
        broker.advance(60)
        (record,) = await broker.records(1)
        assert record.expires_at == START + timedelta(seconds=65)
