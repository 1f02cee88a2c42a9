import asyncio
import threading
from contextlib import suppress
from datetime import timedelta

import pytest

import tapemq
from tapemq.batch import Columns, checksum, encode_body
from tapemq.wire import messages as m
from tapemq.wire.entries import pack_times
from tapemq_broker.storage.schedules.index import Row
from tests.support.raw_client import RawClient, Refused
from tests.support.scheduled_broker import START, ScheduledBroker, scheduled_broker

HOUR_US = 3600 * 1_000_000
START_US = int(START.timestamp()) * 1_000_000


async def raw(broker: ScheduledBroker) -> tuple[RawClient, m.Topic]:
    client = await RawClient.connect(broker.server.port)
    return client, await client.topic("t")


def wish(topic: m.Topic, body: bytes, **fields: object) -> m.Schedule:
    made = m.Schedule(topic.topic_id, 0, checksum(body), delay_ms=3_600_000)
    return made._replace(**fields)  # type: ignore[arg-type]


async def test_a_retry_gets_the_first_id() -> None:
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        body = encode_body(Columns([b"x"]), producer_id=9)
        first = await client.ask(wish(topic, body), m.Scheduled, body)
        assert first == m.Scheduled(1, START_US + HOUR_US)
        broker.clock.now += timedelta(seconds=5)
        again = await client.ask(wish(topic, body), m.Scheduled, body)
        assert again == m.Scheduled(1, START_US + HOUR_US, duplicate=True)
        await broker.restart()
        assert await broker.pending() == 1  # the index is ready
        client, _ = await raw_again(broker)
        again = await client.ask(wish(topic, body), m.Scheduled, body)
        assert again == m.Scheduled(1, START_US + HOUR_US, duplicate=True)
        broker.advance(3600)
        await broker.none_pending()
        again = await client.ask(wish(topic, body), m.Scheduled, body)
        assert again == m.Scheduled(1, 0, duplicate=True)
        assert await broker.all_values() == [b"x"]
        RawClient.close_all()


async def test_a_retry_with_other_times_is_refused() -> None:
    """There is no time that such a record could have been due at: an answer ended the broker."""
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        body = encode_body(Columns([b"x"]), producer_id=9)
        first = await client.ask(wish(topic, body), m.Scheduled, body)
        for later_us in (first.due_us, 2**64 - 1):
            other = wish(topic, body, later_us=pack_times([later_us]))
            with pytest.raises(Refused, match="other times") as refused:
                await client.ask(other, m.Scheduled, body)
            assert refused.value.name == "bad_request"
        again = await client.ask(wish(topic, body), m.Scheduled, body)
        assert again == first._replace(duplicate=True)
        RawClient.close_all()


async def test_a_retry_is_known_though_the_clock_has_jumped_ahead_by_days() -> None:
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        later = START_US + 30 * 24 * HOUR_US
        bodies = [encode_body(Columns([b"x"]), producer_id=number) for number in (8, 9, 10)]
        wishes = [wish(topic, body, delay_ms=0, due_us=later) for body in bodies]
        for body, wanted in zip(bodies, wishes, strict=True):
            await client.ask(wanted, m.Scheduled, body)
            broker.clock.now = START + timedelta(days=2)
        again = await client.ask(wishes[0], m.Scheduled, bodies[0])
        assert again == m.Scheduled(1, later, duplicate=True)
        RawClient.close_all()


async def raw_again(broker: ScheduledBroker) -> tuple[RawClient, m.Topic]:
    client = await RawClient.connect(broker.server.port)
    return client, await client.ask(m.DescribeTopic("t"), m.Topic)


async def test_requests_behind_one_that_takes_longer_keep_their_order() -> None:
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        sent = []
        for sequence in range(20):
            body = encode_body(Columns([b"x"]), producer_id=9, first_sequence=sequence)
            key = b"k%d" % sequence if sequence % 3 == 0 else b""
            sent.append(client.send(wish(topic, body, key=key), body))
        found = [(await client.answer(one, m.Scheduled)).schedule_id for one in sent]
        assert found == list(range(1, 21))
        RawClient.close_all()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"partition": 9}, "unknown_partition"),
        ({"checksum": 1}, "bad_batch"),
        ({"due_us": 5}, "bad_request"),
        ({"delay_ms": 10**16}, "bad_request"),
        ({"cron": "what", "delay_ms": 0}, "bad_request"),
        ({"cron": "0 0 31 2 *", "delay_ms": 0}, "bad_request"),
        ({"cron": "* * */20 * 1L", "delay_ms": 0}, "bad_request"),
        ({"cron": "* * */20 * 1L", "delay_ms": 0, "due_us": START_US}, "bad_request"),
        ({"cron": "* * * * *", "delay_ms": 0, "due_us": 2**64 - 1}, "bad_request"),
        ({"cron": "* * * * *", "time_zone": "Nowhere", "delay_ms": 0}, "bad_request"),
        ({"every_ms": 10}, "bad_request"),
        ({"every_ms": 2**63}, "bad_request"),
        ({"every_ms": 2**64 - 1}, "bad_request"),
        ({"every_ms": 1000, "catch_up": "some"}, "bad_request"),
        ({"key": b"x" * 2000}, "bad_request"),
        ({"topic_id": 5}, "stale_metadata"),
    ],
)
async def test_what_cannot_be_scheduled_is_refused(fields: dict[str, object], name: str) -> None:
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        for body in (encode_body(Columns([b"x"])),) * 2:  # the first one makes the log
            with pytest.raises(Refused) as refused:
                await client.ask(wish(topic, body, **fields), m.Scheduled, body)
            assert refused.value.name == name
        body = encode_body(Columns([b"x"]))
        assert (await client.ask(wish(topic, body), m.Scheduled, body)).schedule_id == 1
        RawClient.close_all()


async def test_a_delay_is_the_first_time_of_what_recurs() -> None:
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        body = encode_body(Columns([b"x"]))
        for recurrence in ({"every_ms": 1000}, {"cron": "* * * * *"}):
            made = await client.ask(wish(topic, body, **recurrence), m.Scheduled, body)
            assert made.due_us == START_US + HOUR_US
        RawClient.close_all()


async def test_the_largest_numbers_are_read_again() -> None:
    """What is taken, reading the log takes: else it refuses every schedule of the topic."""
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        body = encode_body(Columns([b"x"]))
        far_us = 250_000_000_000_000_000
        for fields in (
            {"every_ms": 2**63 - 1},
            {"every_ms": 2**63},
            {"delay_ms": 0, "due_us": far_us, "every_ms": 2**64 - 1},
            {"delay_ms": 0, "due_us": far_us, "key": b"k"},
            {"delay_ms": 2**64 - 1},
            {"delay_ms": 0, "due_us": 2**64 - 1},
            {"partition": 2**64 - 1},
            {"later_us": pack_times([2**64 - 1])},
        ):
            with suppress(Refused):
                await client.ask(wish(topic, body, **fields), m.Scheduled, body)
        assert await broker.pending() == 2
        await broker.stop()
        broker.index = type(broker.index)()
        await broker.start()
        assert await broker.pending() == 2
        broker.advance(3600)
        assert await broker.values(1) == [b"x"]
        RawClient.close_all()


async def test_what_could_not_be_read_again_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def anything(*args: object) -> None:
        """As if a check were missing."""

    monkeypatch.setattr("tapemq_broker.server.schedules.commands.check_recurrence", anything)
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        body = encode_body(Columns([b"x"]))
        for _ in range(2):
            with pytest.raises(Refused, match="read again") as refused:
                await client.ask(wish(topic, body, every_ms=2**63), m.Scheduled, body)
            assert refused.value.name == "bad_request"
        assert await broker.pending() == 0
        await client.ask(wish(topic, body), m.Scheduled, body)
        RawClient.close_all()


async def test_a_cron_that_never_comes_is_refused_and_its_first_time_does_not_save_it() -> None:
    """Each took a tenth of a second of the thread that looks what is due, for everybody."""
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        body = encode_body(Columns([b"x"]))
        for due_us in (0, START_US + HOUR_US):
            never = wish(topic, body, cron="* * */20 * 1L", delay_ms=0, due_us=due_us)
            with pytest.raises(Refused, match="never comes"):
                await client.ask(never, m.Scheduled, body)
        RawClient.close_all()


async def test_several_come_each_at_its_time() -> None:
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        body = encode_body(Columns([b"c", b"a", b"b"]), producer_id=9)
        times = pack_times([3_000_000, 0, 2_000_000])
        several = wish(topic, body, later_us=times)
        first = await client.ask(several, m.Scheduled, body)
        assert first == m.Scheduled(1, START_US + HOUR_US)
        assert await broker.pending() == 3
        body = encode_body(Columns([b"d"]), producer_id=9, first_sequence=3)
        assert (await client.ask(wish(topic, body), m.Scheduled, body)).schedule_id == 4
        broker.advance(3600)
        assert await broker.values(2) == [b"a", b"d"]
        broker.advance(2)
        assert await broker.values(3) == [b"a", b"d", b"b"]
        broker.advance(1)
        await broker.none_pending()
        assert await broker.all_values() == [b"a", b"d", b"b", b"c"]
        RawClient.close_all()


async def test_a_retry_of_several_gets_the_first_id() -> None:
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        body = encode_body(Columns([b"a", b"b"]), producer_id=9)
        several = wish(topic, body, later_us=pack_times([0, 5_000_000]))
        answers = [await client.ask(several, m.Scheduled, body) for _ in range(2)]
        broker.advance(3600)
        assert await broker.values(1) == [b"a"]
        answers.append(await client.ask(several, m.Scheduled, body))
        first = m.Scheduled(1, START_US + HOUR_US)
        assert answers == [first, *[first._replace(duplicate=True)] * 2]
        broker.advance(5)
        await broker.none_pending()
        again = await client.ask(several, m.Scheduled, body)
        assert again == m.Scheduled(1, 0, duplicate=True)
        assert await broker.all_values() == [b"a", b"b"]
        RawClient.close_all()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "2 records with 1 times"),
        ({"later_us": pack_times([0, 1, 2])}, "2 records with 3 times"),
        ({"later_us": pack_times([0, 1]), "key": b"k"}, "not several"),
        ({"later_us": pack_times([0, 1]), "every_ms": 5000}, "not several"),
        ({"later_us": pack_times([0, 2**63])}, "out of range"),
    ],
)
async def test_several_that_cannot_be_scheduled_are_refused(
    fields: dict[str, object], text: str
) -> None:
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        body = encode_body(Columns([b"x", b"y"]))
        for _ in range(2):  # the first one makes the log
            with pytest.raises(Refused, match=text):
                await client.ask(wish(topic, body, **fields), m.Scheduled, body)
        assert await broker.pending() == 0
        RawClient.close_all()


async def test_a_key_names_one_schedule_at_a_time() -> None:
    async with scheduled_broker() as broker:
        first = await broker.later(b"a", 10, schedule_key="k")
        second = await broker.later(b"b", 20, schedule_key="k")
        assert (first.replaced, second.replaced) == (False, True)
        assert await broker.pending() == 1
        schedules = broker.client.schedules("t")
        assert (await schedules.get(key="k")).schedule_id == second.schedule_id
        with pytest.raises(tapemq.ScheduleNotFound):
            await schedules.get(first.schedule_id)
        await schedules.cancel(key="k")
        with pytest.raises(tapemq.ScheduleNotFound):
            await schedules.cancel(key="k")
        third = await broker.later(b"c", 30, schedule_key="k")
        assert not third.replaced
        broker.advance(60)
        await broker.none_pending()
        assert await broker.all_values() == [b"c"]


async def test_replacing_at_the_same_time_leaves_one() -> None:
    async with scheduled_broker() as broker:
        receipts = await asyncio.gather(
            *(broker.later(b"%d" % n, 10, schedule_key="k") for n in range(30))
        )
        assert sum(not receipt.replaced for receipt in receipts) == 1
        assert await broker.pending() == 1
        last = max(receipts, key=lambda receipt: receipt.schedule_id)
        broker.advance(10)
        await broker.none_pending()
        assert await broker.all_values() == [b"%d" % receipts.index(last)]


async def test_a_cancelled_schedule_does_not_come() -> None:
    async with scheduled_broker() as broker:
        receipts = [await broker.later(b"%d" % n, 10) for n in range(4)]
        await broker.client.schedules("t").cancel(receipts[1].schedule_id)
        await broker.restart()
        await broker.client.schedules("t").cancel(receipts[2].schedule_id)
        broker.advance(10)
        assert await broker.values(2) == [b"0", b"3"]
        await broker.none_pending()


async def test_what_recurs_ends_when_it_is_cancelled() -> None:
    async with scheduled_broker() as broker:
        await broker.client.schedule("t", b"tick", every=10, schedule_key="tick")
        broker.advance(10)
        await broker.values(1)
        await broker.client.schedules("t").cancel(key="tick")
        broker.advance(100)
        assert await broker.pending() == 0
        assert await broker.all_values() == [b"tick"]


async def test_a_topic_without_schedules_has_none() -> None:
    async with scheduled_broker() as broker:
        await broker.client.create_topic("t")
        assert await broker.pending() == 0
        with pytest.raises(tapemq.ScheduleNotFound, match="has no schedules"):
            await broker.client.schedules("t").get(1)


async def test_a_topic_may_be_deleted_while_one_of_its_schedules_is_looked_up() -> None:
    """To be cancelled: its log is gone by then."""
    async with scheduled_broker() as broker:
        receipt = await broker.later(b"x", 10)
        await broker.pending()
        found, deleted, find = threading.Event(), threading.Event(), broker.index.find

        def slowly(topic_id: int, schedule_id: int) -> Row | None:
            row = find(topic_id, schedule_id)
            found.set()
            deleted.wait()
            return row

        broker.index.find = slowly  # type: ignore[method-assign]
        schedules = broker.client.schedules("t")
        cancelling = asyncio.create_task(schedules.cancel(receipt.schedule_id))
        await asyncio.to_thread(found.wait)
        await broker.client.delete_topic("t")
        deleted.set()
        async with asyncio.timeout(60):
            with pytest.raises(tapemq.TopicNotFound):
                await cancelling
            assert await broker.client.topics() == []


async def test_what_waits_for_its_turn_goes_with_its_connection() -> None:
    """It is counted as long as its connection is there: who comes and goes could fill memory."""
    async with scheduled_broker() as broker:
        client, topic = await raw(broker)
        other, _ = await raw_again(broker)
        body = encode_body(Columns([b"x"]))
        await client.ask(wish(topic, body), m.Scheduled, body)
        async with broker.schedules.runner._turn:  # nothing is looked up meanwhile
            for number in range(3):
                client.send(wish(topic, body, key=b"%d" % number), body)
            await client.ask(m.Ping(), m.Pong)  # behind them
            waits = other.send(wish(topic, body, key=b"of another"), body)
            await other.ask(m.Ping(), m.Pong)
            client.close()
            while len(broker.server._sessions.by_number) > 2:
                await broker.client.status()
        await other.answer(waits, m.Scheduled)
        assert await broker.pending() == 3
        for key in (b"0", b"of another"):
            await other.ask(m.GetSchedule(topic.topic_id, key=key), m.ScheduleInfo)
        RawClient.close_all()
