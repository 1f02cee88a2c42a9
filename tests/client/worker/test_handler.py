import asyncio
import functools
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, cast

import pytest

from tapemq.queues.message import Message
from tapemq.worker.handler import Decode, Handler, Limits
from tapemq.worker.rules import Rules, Undecodable
from tests.support.blocking import LONG_S


class FakeMessage(NamedTuple):
    value: bytes | None = b'{"n": 1}'


MESSAGE = cast(Message, FakeMessage())


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def handler(function: Callable[..., Any], decode: Decode | None = None) -> Handler:
    return Handler(function, "t", "g", Limits(), "earliest", decode, Rules(), {})


class Calls:
    """Notes what it was called with, and where."""

    def __init__(self) -> None:
        self.seen: list[tuple[tuple[Any, ...], bool]] = []

    def plain(self, *arguments: Any) -> None:
        in_main = threading.current_thread() is threading.main_thread()
        self.seen.append((arguments, in_main))

    async def coroutine(self, *arguments: Any) -> None:
        self.plain(*arguments)

    async def __call__(self, *arguments: Any) -> None:
        self.plain(*arguments)


async def test_a_coroutine_function_runs_in_the_event_loop() -> None:
    calls = Calls()
    assert not handler(calls.coroutine).is_plain
    await handler(calls.coroutine).call(MESSAGE, None)
    assert calls.seen == [((MESSAGE,), True)]


async def test_a_plain_function_runs_in_a_thread(threads: ThreadPoolExecutor) -> None:
    calls = Calls()
    assert handler(calls.plain).is_plain
    await handler(calls.plain).call(MESSAGE, threads)
    assert calls.seen == [((MESSAGE,), False)]


async def test_what_a_plain_function_returns_is_awaited(threads: ThreadPoolExecutor) -> None:
    calls = Calls()
    wrapped = handler(lambda message: calls.coroutine(message))
    assert wrapped.is_plain
    await wrapped.call(MESSAGE, threads)
    assert calls.seen == [((MESSAGE,), True)]


async def test_an_end_of_iteration_in_a_thread_is_raised(threads: ThreadPoolExecutor) -> None:
    empty = handler(lambda message: next(iter(())))
    calling = asyncio.ensure_future(empty.call(MESSAGE, threads))
    await asyncio.wait([calling], timeout=LONG_S)
    assert calling.done()
    assert repr(calling.exception()) == "RuntimeError('handler raised StopIteration')"


def iterated(message: Message) -> Iterator[None]:
    yield


async def iterated_with_await(message: Message) -> AsyncIterator[None]:
    yield


async def not_awaited(message: Message) -> Any:
    return asyncio.sleep(0)


@pytest.mark.parametrize("function", [iterated, iterated_with_await, not_awaited])
async def test_what_was_not_run_was_not_done(
    function: Callable[..., Any], threads: ThreadPoolExecutor
) -> None:
    with pytest.raises(TypeError, match="of which nothing has run"):
        await handler(function).call(MESSAGE, threads)


def test_objects_and_partials_of_coroutine_functions_are_not_plain() -> None:
    calls = Calls()
    assert not handler(calls).is_plain
    assert not handler(functools.partial(calls.coroutine, 1)).is_plain


async def test_a_decoded_value_comes_before_the_message() -> None:
    calls = Calls()
    await handler(calls.coroutine, json.loads).call(MESSAGE, None)
    tombstone = cast(Message, FakeMessage(None))
    await handler(calls.coroutine, json.loads).call(tombstone, None)
    assert [arguments for arguments, _ in calls.seen] == [
        ({"n": 1}, MESSAGE),
        (None, tombstone),
    ]


async def test_a_value_that_cannot_be_decoded_says_so() -> None:
    calls = Calls()
    with pytest.raises(Undecodable) as caught:
        await handler(calls.coroutine, json.loads).call(cast(Message, FakeMessage(b"")), None)
    verdict = Rules().verdict(caught.value)
    assert (verdict.verb, verdict.reason) == ("reject", "undecodable")
    assert "Expecting value" in verdict.error
    assert calls.seen == []


@pytest.mark.parametrize(
    ("function", "name"),
    [(Calls.coroutine, "Calls.coroutine"), (functools.partial(print), "functools.partial(<built-")],
)
def test_it_has_a_name(function: Callable[..., Any], name: str) -> None:
    assert handler(function).name.startswith(name)
