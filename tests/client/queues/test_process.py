import asyncio
from typing import Any

import pytest

import tapemq
from tests.support.queueing import World, take

pytestmark = pytest.mark.both_loops


async def test_success_is_an_ack(world: World) -> None:
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        async with message.process() as same:
            assert same is message
            assert not message.settled
        assert message.settled
    assert world.acked() == [0]


async def test_exception_is_logged_and_a_failure(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        async with message.process():
            raise KeyError("total")
        assert message.settled
    settle = next(s for s, _ in world.broker.queues.settlements if s.verb == "nack")
    assert (settle.by_policy, settle.reason, settle.error) == (
        True,
        "KeyError",
        "KeyError: 'total'",
    )
    assert "offset=0" in caplog.text
    assert "Traceback" in caplog.text


async def test_exception_is_raised_if_that_is_wanted(world: World) -> None:
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        with pytest.raises(KeyError):
            async with message.process(reraise=True):
                raise KeyError
    assert world.group.offsets("nack") == [0]


async def test_some_exceptions_are_final_and_some_are_none(world: World) -> None:
    async with world.queue() as queue:
        one, two = await take(queue, 2)
        async with one.process(reject_on=KeyError):
            raise KeyError
        async with two.process(ignore=(OSError, KeyError)):
            raise KeyError
    assert world.group.offsets("reject") == [0]
    assert world.acked() == [1]


async def test_cancellation_gives_the_message_back_and_propagates(world: World) -> None:
    working = asyncio.Event()

    async def handle(message: tapemq.Message) -> None:
        async with message.process(reject_on=Exception, ignore=Exception):
            working.set()
            await asyncio.Event().wait()

    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        handling = asyncio.ensure_future(handle(message))
        await working.wait()
        handling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handling
        await message.release()
        assert queue.lost == 1  # it was given back already
        await world.settled(1)
        assert world.group.history == [("release", 0, 0)]


@pytest.mark.parametrize("verb", ["ack", "nack", "reject", "release"])
async def test_what_was_settled_in_the_block_stays_so(world: World, verb: str) -> None:
    async with world.queue() as queue:
        one, two = await take(queue, 2)
        async with one.process():
            await getattr(one, verb)()
        async with two.process():
            await getattr(two, verb)()
            raise KeyError
        assert queue.lost == 0
    assert sorted(world.group.offsets(verb))[:2] == [0, 1]


async def test_message_that_was_lost_in_the_block_is_counted(world: World) -> None:
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        async with message.process():
            world.broker.queues.lose()
            await world.client.topics()
            assert message.lease_lost
        assert queue.lost == 1
    assert world.acked() == []


async def test_what_is_no_exception_class_is_refused_before_the_block(world: World) -> None:
    """When the block had failed with it, nobody settled the message, and leaving took 10 s."""
    some: Any = [KeyError]
    async with world.queue() as queue:
        (message,) = await take(queue, 1)
        for options in ({"reject_on": some}, {"ignore": some}):
            with pytest.raises(TypeError, match="a tuple of them"):
                message.process(**options)
            with pytest.raises(TypeError, match="a tuple of them"):
                await queue.run(lambda one: one.ack(), **options)
        async with message.process(reject_on=some[1:]):
            raise KeyError
    assert world.group.offsets("nack") == [0]
