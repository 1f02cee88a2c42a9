"""Firings of more than fits into one batch."""

import asyncio

import pytest

from tapemq_broker.core.schedules import recurrence
from tapemq_broker.server.schedules.firing import Firing
from tests.support.scheduled_broker import scheduled_broker


async def test_missed_times_of_a_large_record_come_in_batches_that_fit() -> None:
    """100 of them in one were more than a batch can hold: that ended every start."""
    async with scheduled_broker() as broker:
        await broker.client.schedule("t", bytes(400_000), every=10, catch_up="all")
        await broker.pending()
        broker.advance(600)
        async with asyncio.timeout(60):
            assert len(await broker.values(60)) == 60


async def test_a_firing_that_does_not_fit_into_a_batch_is_begun_again_in_parts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def never(firing: Firing, volume: object, number: int) -> None:
        """The broker stops here."""

    async with scheduled_broker() as broker:
        await broker.client.schedule("t", bytes(400_000), every=10, catch_up="all")
        await broker.pending()
        with monkeypatch.context() as patched:
            patched.setattr(recurrence, "_AT_ONCE_BYTES", 2**30)
            patched.setattr(Firing, "finish", never)
            broker.advance(600)
            await broker.until_firing()
            await broker.stop()
        await broker.start()
        async with asyncio.timeout(60):
            assert len(await broker.values(60)) == 60
        assert "is begun again in parts" in caplog.text
