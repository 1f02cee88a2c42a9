from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

import tapemq
from tapemq.worker.app import App

CLIENT = cast(tapemq.Client, object())


async def bill(message: tapemq.Message) -> None: ...


def test_a_handler_stays_the_function_that_it_is() -> None:
    app = App()
    assert app.handler("orders", group="billing", lease=5, max_attempts=3)(bill) is bill
    (handler,) = app.handlers
    assert (handler.function, handler.topic, handler.group) == (bill, "orders", "billing")
    assert handler.settings == {"lease": 5, "max_attempts": 3}
    assert (handler.start, handler.limits) == ("earliest", (None, None))


def test_a_function_may_have_several_groups() -> None:
    app = App()
    for topic, group in (("orders", "a"), ("orders", "b"), ("returns", "a")):
        app.handler(topic, group=group)(bill)
    assert [(h.topic, h.group) for h in app.handlers] == [
        ("orders", "a"),
        ("orders", "b"),
        ("returns", "a"),
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"group": ".x"}, "group name"),
        ({"topic": "a b"}, "topic name"),
        ({"concurrency": 0}, "concurrency is at least 1, not 0"),
        ({"prefetch": 0}, "prefetch is at least 1, not 0"),
        ({"start": "soon"}, "soon"),
        ({"max_attempts": -1}, "max_attempts"),
        ({"leese": 3}, "there is no setting 'leese'"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        App().handler(**{"topic": "orders", "group": "billing", **options})


@pytest.mark.parametrize("option", ["retry_on", "reject_on", "ignore"])
def test_exception_classes_come_in_a_tuple(option: str) -> None:
    choice: Any = {option: [KeyError, ValueError]}
    with pytest.raises(TypeError, match=f"{option} is an exception class or a tuple"):
        App().handler("orders", group="billing", **choice)


@pytest.mark.parametrize(
    ("decode", "called"), [(None, "the message: too"), (bytes, "the decoded value and the message")]
)
def test_a_function_takes_what_it_is_called_with(decode: Any, called: str) -> None:
    """Each message failed until it was dead, when one had forgotten what `decode` adds."""

    def nothing() -> None: ...
    def two(order: bytes, message: tapemq.Message) -> None: ...

    right, wrong = (bill, nothing) if decode is None else (two, bill)
    with pytest.raises(TypeError, match=called):
        App().handler("orders", group="billing", decode=decode)(wrong)
    for function in (right, print):
        App().handler("orders", group="billing", decode=decode)(function)


def test_one_handler_for_each_group() -> None:
    app = App()
    app.handler("orders", group="billing")(bill)
    with pytest.raises(ValueError, match="'billing' of topic 'orders' has a handler already"):
        app.handler("orders", group="billing")


def test_a_generator_is_no_handler() -> None:
    def generator(message: tapemq.Message) -> Iterator[None]:
        yield

    app = App()
    with pytest.raises(TypeError, match="it yields, and nobody iterates over it"):
        app.handler("orders", group="billing")(generator)
    assert app.handlers == ()


async def test_the_client_is_there_while_it_runs() -> None:
    app = App()
    with pytest.raises(tapemq.Closed, match="tapemq worker"):
        _ = app.client
    async with app.within(CLIENT):
        assert app.client is CLIENT


async def test_the_lifespan_is_around_the_handlers() -> None:
    events: list[object] = []

    @asynccontextmanager
    async def lifespan(client: tapemq.Client) -> AsyncIterator[None]:
        events.append(client)
        yield
        events.append("left")

    app = App(lifespan=lifespan)
    async with app.within(CLIENT):
        assert events == [CLIENT]
    assert events == [CLIENT, "left"]
