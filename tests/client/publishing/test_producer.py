import asyncio
import logging
from typing import Any

import pytest

import tapemq
from tapemq.batch import decode_columns, decode_extras
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.fake_broker import FakeBroker, Reaction
from tests.support.sdk import SENT_BY_THEN_S, client_of

pytestmark = pytest.mark.both_loops

STORAGE_FAILED = m.Failure(wire.STORAGE_FAILED.code, "damaged")


def stored(broker: FakeBroker, partition: int = 0) -> list[bytes | None]:
    return broker.topics["t"].partitions[partition].values


async def test_leaving_the_block_confirms_everything() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        async with client.producer("t") as producer:
            for number in range(1000):
                await producer.send(b"%d" % number)
        assert stored(broker) == [b"%d" % number for number in range(1000)]
        assert len(broker.of(m.Publish)) < 20


async def test_batches_have_the_size_asked_for() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        async with client.producer("t", batch_bytes=1024, linger=100.0) as producer:
            for _ in range(100):
                await producer.send(b"x" * 84)  # 100 bytes with what a record counts
        sizes = [batch.count for batch in broker.topics["t"].partitions[0].batches]
        assert sizes == [10] * 10


async def test_many_records_at_once_keep_their_order_and_fill_batches() -> None:
    values: list[Any] = [b"%d" % number for number in range(1000)]
    values[300:303] = ["text", None, bytearray(b"array")]
    async with FakeBroker() as broker, await client_of(broker) as client:
        async with client.producer("t", batch_bytes=1024, linger=100.0) as producer:
            await producer.send_many([])
            await producer.send_many(values[:700])
            await producer.send(b"one")
            await producer.send_many(tuple(values[700:]))
        expected = [b"text", None, b"array"]
        assert stored(broker)[300:303] == expected
        values[300:303] = expected
        assert stored(broker) == [*values[:700], b"one", *values[700:]]
        counts = [batch.count for batch in broker.topics["t"].partitions[0].batches]
        assert all(count > 30 for count in counts[:-1])


async def test_many_records_are_taken_up_to_the_one_that_is_too_large() -> None:
    async with FakeBroker() as broker:
        broker.welcome = broker.welcome._replace(record_bytes_max=1000)
        async with await client_of(broker) as client, client.producer("t") as producer:
            with pytest.raises(tapemq.PayloadTooLarge):
                await producer.send_many([b"1", b"2", bytes(1001), b"3"])
        assert stored(broker) == [b"1", b"2"]


async def test_all_kinds_of_records_keep_their_order() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        async with client.producer("t") as producer:
            await producer.send(b"0")
            await producer.send("1", key="k")
            await producer.send(b"2")
            await producer.send(None, headers={"h": 3})
            await producer.send(bytearray(b"4"), partition=0)
            await producer.send(b"5")
        batches = broker.topics["t"].partitions[0].batches
        rows: list[tuple[object, ...]] = []
        for batch in batches:
            columns = decode_columns(batch.data[88:])
            keys = columns.keys or [None] * batch.count
            extras = columns.extras or [b""] * batch.count
            rows += zip(columns.values, keys, [decode_extras(e)[0] for e in extras], strict=True)
        assert rows == [
            (b"0", None, {}),
            (b"1", b"k", {}),
            (b"2", None, {}),
            (None, None, {"h": 3}),
            (b"4", None, {}),
            (b"5", None, {}),
        ]


async def test_bytes_that_change_later_are_taken_as_they_are() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        async with client.producer("t", linger=100.0) as producer:
            await producer.send(b"")
            value = bytearray(b"before")
            await producer.send(value)
            value[:] = b"after!"
        assert stored(broker) == [b"", b"before"]


async def test_batches_without_keys_go_round_the_partitions() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.create("t", partitions=3)
        async with client.producer("t", batch_bytes=1024) as producer:
            for number in range(90):
                await producer.send(b"%084d" % number)
        counts = [len(stored(broker, partition)) for partition in range(3)]
        assert sum(counts) == 90
        assert min(counts) >= 20


async def test_written_is_asked_for() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        async with client.producer("t", durability="written") as producer:
            await producer.send(b"0")
        assert [publish.level for publish in broker.of(m.Publish)] == [1]


async def test_event_loop_gets_its_turn_while_records_are_sent() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.ensure_future(count_turns())
        async with client.producer("t", batch_bytes=1024) as producer:
            for _ in range(500):
                await producer.send(b"x" * 84)
            assert turns >= 40
        counting.cancel()


# Back-pressure


async def test_send_waits_while_the_window_is_full() -> None:
    async with FakeBroker() as broker:
        broker.welcome = broker.welcome._replace(publish_window_bytes=3000)
        async with await client_of(broker) as client:
            broker.react(m.Publish, *[Reaction.HOLD] * 100)
            taken = 0

            async def produce() -> None:
                nonlocal taken
                async with client.producer("t", batch_bytes=1024) as producer:
                    for number in range(100):
                        await producer.send(b"%084d" % number)
                        taken += 1

            producing = asyncio.ensure_future(produce())
            await broker.received(m.Publish, 2)
            await client.topic("t")
            await client.topic("t")
            assert taken < 50
            assert len(broker.of(m.Publish)) < 5
            broker.release()
            await producing
            assert stored(broker) == [b"%084d" % number for number in range(100)]


async def test_send_waits_while_enough_is_in_flight() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.Publish, *[Reaction.HOLD] * 100)
        async with client.producer("t", batch_bytes=1024, max_in_flight=2) as producer:
            sending = asyncio.ensure_future(send_many(producer, 100))
            await broker.received(m.Publish, 2)
            await client.topic("t")
            assert len(broker.of(m.Publish)) == 2
            assert not sending.done()
            broker.release()
            await sending
        assert len(stored(broker)) == 100


async def test_cancelled_send_has_handed_its_record_over() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.Publish, *[Reaction.HOLD] * 100)
        async with client.producer("t", batch_bytes=1024, max_in_flight=1) as producer:
            await producer.send(bytes(2000))
            waiting = [asyncio.ensure_future(producer.send(bytes(2000))) for _ in range(2)]
            await client.topic("t")
            waiting[0].cancel()
            await asyncio.wait(waiting[:1])
            assert waiting[0].cancelled()
            broker.release()
        assert len(stored(broker)) == 3


async def send_many(producer: tapemq.Producer, count: int) -> None:
    for number in range(count):
        await producer.send(b"%084d" % number)


# Losses and failures


async def test_cuts_neither_lose_nor_repeat_records() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.Publish, *[Reaction.HANDLE, Reaction.LOSE, Reaction.CUT] * 4)
        async with client.producer("t", batch_bytes=1024) as producer:
            await send_many(producer, 300)
        assert stored(broker) == [b"%084d" % number for number in range(300)]


async def test_record_over_the_limit_is_refused_and_the_rest_goes_on() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.welcome = broker.welcome._replace(record_bytes_max=1000)
        async with await client_of(broker) as client, client.producer("t") as producer:
            await producer.send(b"0")
            with pytest.raises(tapemq.PayloadTooLarge):
                await producer.send(b"x" * 1001)
            await producer.send(b"x" * 1000)
        assert stored(broker) == [b"0", b"x" * 1000]


async def test_partition_that_is_no_integer_is_refused_and_the_rest_goes_on() -> None:
    wrong: Any = 0.0
    async with FakeBroker() as broker, await client_of(broker) as client:
        async with client.producer("t") as producer:
            with pytest.raises(TypeError):
                await producer.send(b"?", partition=wrong)
            await producer.send(b"0", partition=False)
        assert stored(broker) == [b"0"]


async def test_batch_over_the_record_limit_does_not_hide_a_record_over_it() -> None:
    async with FakeBroker() as broker:
        broker.welcome = broker.welcome._replace(record_bytes_max=2000)
        async with (
            await client_of(broker) as client,
            client.producer("t", linger=100.0) as producer,
        ):
            await producer.send(b"0")
            with pytest.raises(tapemq.PayloadTooLarge):
                await producer.send(b"x" * 2001)  # an open batch of the size asked for has room


async def test_failure_is_raised_by_the_next_calls() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.Publish, STORAGE_FAILED)
        async with client.producer("t") as producer:
            await producer.send(b"0")
            for call in (producer.flush, producer.flush, lambda: producer.send(b"1")):
                with pytest.raises(tapemq.StorageFailed, match="damaged"):
                    await call()


async def test_failure_is_raised_on_leaving() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.Publish, STORAGE_FAILED)
        with pytest.raises(tapemq.StorageFailed, match="damaged"):
            async with client.producer("t") as producer:
                await producer.send(b"0")


async def test_failure_that_was_told_is_not_raised_again_on_leaving() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.Publish, STORAGE_FAILED)
        async with client.producer("t") as producer:
            await producer.send(b"0")
            with pytest.raises(tapemq.StorageFailed):
                await producer.flush()


async def send_and_break(client: tapemq.Client) -> None:
    async with client.producer("t", linger=100.0) as producer:
        await producer.send(b"0")
        raise ZeroDivisionError


async def test_exception_of_the_block_is_raised_and_records_still_leave() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        with pytest.raises(ZeroDivisionError):
            await send_and_break(client)
        assert stored(broker) == [b"0"]


async def test_records_lost_behind_an_exception_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.Publish, STORAGE_FAILED)
        with pytest.raises(ZeroDivisionError):
            await send_and_break(client)
    errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == ["t: records were lost: damaged"]


async def test_cancellation_does_not_wait() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        broker.react(m.Publish, Reaction.HOLD)

        async def produce() -> None:
            async with client.producer("t") as producer:
                await producer.send(b"0")
                await asyncio.Event().wait()

        producing = asyncio.ensure_future(produce())
        await broker.received(m.Publish)
        producing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await producing


@pytest.mark.parametrize(
    ("reaction", "expected"),
    [(Reaction.HOLD, tapemq.IndeterminateError), (None, tapemq.TimeoutError)],
    ids=["sent", "not sent"],
)
async def test_record_that_waits_too_long_fails_the_producer(
    reaction: Reaction | None, expected: type[tapemq.Error]
) -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        if reaction is None:
            broker.flow(0, "disk low")
            await client.topics()
            reason = r"within 0\.5 s \(the broker takes none: disk low\); none"
        else:
            broker.react(m.Publish, reaction)
            reason = r"within 0\.5 s; records may be"
        with pytest.raises(expected, match=reason):
            async with client.producer("t", timeout=SENT_BY_THEN_S) as producer:
                await producer.send(b"0")


class IdlePublisher:
    """Is asked how old its oldest record is, and has none."""

    def __init__(self) -> None:
        self.failure: tapemq.Error | None = None
        self.idle = True
        self.asked = asyncio.Semaphore(0)

    async def open(self) -> None: ...

    def oldest_at(self) -> None:
        self.asked.release()

    def fail(self, error: tapemq.Error) -> None:
        self.failure = error


async def test_idle_producer_does_not_time_out() -> None:
    publisher: Any = IdlePublisher()
    unused: Any = None
    producer = tapemq.Producer(unused, publisher, level=0, timeout_s=0.001)
    await producer.__aenter__()
    for _ in range(5):
        await publisher.asked.acquire()
    assert publisher.failure is None
    producer.close(tapemq.Closed("done"))


async def test_producer_is_used_inside_its_block_only() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        producer = client.producer("t")
        with pytest.raises(tapemq.Closed, match="async with"):
            await producer.send(b"0")
        async with producer:
            await producer.send(b"0")
        with pytest.raises(tapemq.Closed):
            await producer.send(b"1")


async def test_priority_decides_the_partition() -> None:
    async with FakeBroker() as broker, await client_of(broker) as client:
        await client.create_topic("t", 3, priorities=3)
        async with client.producer("t", linger=100.0) as producer:
            await producer.send(b"0")
            await producer.send(b"2", priority=9)
            await producer.send(b"0 again")
            await producer.send(b"1", priority=1)
            await producer.send_many([b"0 once more"])
        assert stored(broker) == [b"0", b"0 again", b"0 once more"]
        assert [stored(broker, 1), stored(broker, 2)] == [[b"1"], [b"2"]]
