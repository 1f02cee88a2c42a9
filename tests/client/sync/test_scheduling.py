"""Against the real broker; what the calls do is in tests/client/schedules."""

from datetime import timedelta
from itertools import islice

import pytest

import tapemq
from tapemq import sync
from tapemq.schedules import passage
from tests.support.scheduled_broker import START
from tests.support.scheduled_sync import Call, blocking


async def test_records_come_when_they_are_due() -> None:
    def work(client: sync.Client, call: Call) -> None:
        receipt = client.publish("t", b"later", delay=timedelta(minutes=1), schedule_key=b"k")
        assert (receipt.schedule_id, receipt.due) == (1, START + timedelta(minutes=1))
        assert client.publish("t", b"at", at=START + timedelta(seconds=60)).schedule_id == 2
        assert client.publish("t", b"later!", delay=60, schedule_key=b"k").replaced
        assert client.publish("t", b"now").offset == 0
        call(lambda broker, _: broker.advance(60))
        with client.stream("t", start="earliest") as stream:
            values = [record.value for record in islice(stream, 3)]
        assert values[0] == b"now"
        assert sorted(str(value) for value in values[1:]) == ["b'at'", "b'later!'"]

    await blocking(work)


async def test_who_schedules_in_ever_new_topics_keeps_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def work(client: sync.Client, _: Call) -> None:
        for topic in ("t", "u", "t", "v"):
            client.publish(topic, b"x", delay=60)
        assert list(client._schedulers) == ["t", "v"]
        assert client.publish("u", b"x", delay=60).schedule_id == 2

    monkeypatch.setattr(passage, "SCHEDULERS_MAX", 2)
    await blocking(work)


async def test_what_recurs() -> None:
    def work(client: sync.Client, _: Call) -> None:
        assert client.schedule("t", b"x", every=90).due == START + timedelta(seconds=90)
        start = START + timedelta(seconds=7)
        assert client.schedule("t", b"x", every=90, start=start).due == start
        assert client.schedule("t", b"x", cron="15 * * * *").due == START + timedelta(minutes=15)
        with pytest.raises(ValueError, match="one of them"):
            client.schedule("t", b"x", cron="* * * * *", every=5)
        with pytest.raises(tapemq.RequestRefused, match="Bad minute"):
            client.schedule("t", b"x", cron="99 * * * *")
        client.close()
        with pytest.raises(tapemq.Closed):
            client.schedule("t", b"x", every=1)
        with pytest.raises(tapemq.Closed):
            client.publish("t", b"x", delay=1)

    await blocking(work)
