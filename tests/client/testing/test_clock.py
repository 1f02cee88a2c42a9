from datetime import timedelta

import pytest

import tapemq
from tapemq.testing import Broker, Clock


async def test_time_passes_in_steps() -> None:
    steps: list[float] = []

    async def catch_up() -> None:
        steps.append(clock.monotonic())

    clock = Clock(catch_up)
    before, now = clock.monotonic(), clock.now()
    await clock.advance(minutes=2, seconds=30)
    assert len(steps) == 4  # the first one before it passes
    assert clock.monotonic() - before >= 150
    assert clock.now() - now >= timedelta(seconds=150)
    assert steps[1] - before < 100
    steps.clear()
    await clock.advance(days=365)
    assert len(steps) == 1001
    with pytest.raises(ValueError, match="back"):
        await clock.advance(hours=-1)


async def test_lease_runs_out() -> None:
    async with Broker() as broker, await broker.connect() as client:
        await client.publish("t", b"0")
        async with client.queue("t", group="g", lease=30.0) as queue:
            messages = aiter(queue)
            first = await anext(messages)
            assert (first.attempt, first.lease_lost) == (1, False)
            await broker.clock.advance(minutes=1)
            again = await anext(messages)
            assert (again.offset, again.attempt, again.crashes) == (0, 2, 1)
            with pytest.raises(tapemq.LeaseLost):
                await first.ack(confirm=True)
            await again.ack(confirm=True)


async def test_delayed_record_comes() -> None:
    async with Broker() as broker, await broker.connect() as client:
        await client.publish("t", b"later", delay=3600.0)
        await broker.clock.advance(minutes=59)
        assert (await client.partition("t", 0)).next_offset == 0
        async with client.stream("t", start="earliest") as stream:
            await broker.clock.advance(minutes=2)
            async for record in stream:
                assert record.value == b"later"
                break


async def test_retention_lets_go() -> None:
    small = Broker(retention_age_s=3600.0, segment_bytes=4096)
    async with small as broker, await broker.connect() as client:
        for _ in range(10):
            await client.publish("t", bytes(1000))
        await broker.clock.advance(hours=3)
        await client.publish("t", b"")
        await broker.clock.advance(minutes=2)
        assert (await client.partition("t", 0)).first_offset > 0


async def test_connections_do_not_notice() -> None:
    async with Broker() as broker, await broker.connect() as client:
        async with client.stream("t", group="g") as stream:
            await broker.clock.advance(days=10)
            await client.publish("t", b"0")
            async for record in stream:
                assert record.value == b"0"
                assert abs(record.timestamp - broker.clock.now()) < timedelta(minutes=1)
                break
        assert (await client.status()).connections == 1


async def test_time_goes_on_when_the_broker_crashes_at_what_comes_due() -> None:
    async with Broker() as broker, await broker.connect() as client:
        await client.publish("t", b"0", delay=60)
        crashed = broker.crash_before_sync()
        await broker.clock.advance(minutes=2)
        assert crashed.done()
        async with client.stream("t", start="earliest") as stream:
            assert (await anext(aiter(stream))).value == b"0"
