import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tapemq.batch import COUNT_MAX, decode_extras
from tapemq.errors import PayloadTooLarge
from tapemq.publishing.item import Item, batch_bytes_max, make_item
from tapemq.queues.verdict import Duration
from tapemq.testing import Broker
from tests.support.fake_broker import FakeBroker

LIMITS = FakeBroker().welcome._replace(record_bytes_max=100, batch_bytes_max=400)


def test_text_becomes_utf8() -> None:
    assert make_item("é", "ü", None, LIMITS) == Item(b"\xc3\xa9", b"\xc3\xbc", b"")


@pytest.mark.parametrize("value", [b"x", bytearray(b"x"), memoryview(b"x")])
def test_bytes_of_any_kind_are_copied_to_bytes(value: bytes) -> None:
    item = make_item(value, None, None, LIMITS)
    assert item.value == b"x"
    assert type(item.value) is bytes


def test_tombstone_differs_from_empty() -> None:
    assert make_item(None, None, None, LIMITS).value is None
    assert make_item("", "", None, LIMITS) == Item(b"", b"", b"")


def test_headers_are_encoded() -> None:
    item = make_item(b"", None, {"a": 1, "b": "c"}, LIMITS)
    assert decode_extras(item.extras) == ({"a": 1, "b": "c"}, {})


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((b"x" * 101, None, None), "value"),
        ((b"", b"x" * 101, None), "key"),
        ((b"", None, {"h": b"x" * 100}), "headers"),
    ],
)
def test_part_over_the_limit_is_refused(
    arguments: tuple[bytes, bytes | None, dict[str, bytes] | None], part: str
) -> None:
    with pytest.raises(PayloadTooLarge, match=rf"{part} of 10\d bytes; the broker takes 100"):
        make_item(*arguments, LIMITS)


def test_part_at_the_limit_is_taken() -> None:
    make_item(b"x" * 100, b"x" * 100, None, LIMITS)


def test_record_that_fits_no_batch_is_refused() -> None:
    with pytest.raises(PayloadTooLarge, match="batches of 400"):
        make_item(b"x" * 100, b"x" * 100, {"h": b"x" * 80}, LIMITS)


@pytest.mark.parametrize("value", [1, 1.5, {"a": 1}, [b"x"]])
def test_other_types_are_refused(value: bytes) -> None:
    with pytest.raises(TypeError, match="value is bytes, str or None"):
        make_item(value, None, None, LIMITS)
    with pytest.raises(TypeError, match="key is bytes, str or None"):
        make_item(b"", value, None, LIMITS)


def test_headers_that_cannot_rest_are_refused() -> None:
    for headers in (b"value", "", 5):
        with pytest.raises(TypeError, match="headers are a mapping"):
            make_item(b"topic", None, headers, LIMITS)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="header 'a' is float"):
        make_item(b"", None, {"a": 1.5}, LIMITS)  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="names are text"):
        make_item(b"", None, {5: "a"}, LIMITS)  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="header") as caught:
        make_item(b"", None, {"a": 1 << 80}, LIMITS)
    assert type(caught.value) is ValueError


def test_size_of_a_batch_is_bounded_by_what_the_broker_takes() -> None:
    assert batch_bytes_max(LIMITS) == 100 + 16
    assert batch_bytes_max(LIMITS._replace(batch_bytes_max=240)) == 240 - 128


@pytest.mark.parametrize("delay", [None, 60])
async def test_what_leaves_together_has_room_for_what_a_batch_is_beside_its_records(
    delay: float | None,
) -> None:
    most = 64 * 1024
    value = bytes(most // 2 - 17)
    async with (
        Broker(batch_bytes_max=most, record_bytes_max=most) as broker,
        await broker.connect() as client,
    ):
        await client.publish("t", b"", delay=delay)
        await asyncio.gather(*(client.publish("t", value, delay=delay) for _ in range(2)))


def test_size_of_a_batch_is_bounded_by_the_records_of_a_body() -> None:
    large = LIMITS._replace(record_bytes_max=2**30, batch_bytes_max=2**30)
    smallest = make_item(b"", None, None, large)
    assert batch_bytes_max(large) == COUNT_MAX * smallest.cost_bytes


@pytest.mark.parametrize("ttl", [1.5, timedelta(seconds=1.5)])
def test_time_to_live_is_an_attribute(ttl: Duration) -> None:
    item = make_item(b"", None, {"a": 1}, LIMITS, ttl)
    assert decode_extras(item.extras) == ({"a": 1}, {"ttl_us": 1_500_000})
    assert item.expires
    assert not make_item(b"", None, {"a": 1}, LIMITS).expires


def test_a_time_to_live_that_is_no_duration_is_named() -> None:
    with pytest.raises(TypeError, match="ttl is a number of seconds or a timedelta, not '5'"):
        make_item(b"", None, None, LIMITS, "5")  # type: ignore[arg-type]


@pytest.mark.parametrize("ttl", [0, -1.0, float("nan"), float("inf"), 1e11, timedelta(0)])
def test_a_time_to_live_that_is_none_is_refused(ttl: Duration) -> None:
    with pytest.raises(ValueError, match="more than 0 seconds and at most 9,007,199,254, not"):
        make_item(b"", None, None, LIMITS, ttl)


@pytest.mark.parametrize("given", [1.0, True])
def test_priority_is_sent_as_an_int(given: Any) -> None:
    assert type(make_item(b"", None, None, LIMITS, priority=given).priority) is int


@pytest.mark.parametrize("priority", [-1, 10, 0.5])
def test_priority_that_is_none_is_refused(priority: int) -> None:
    assert make_item(b"", None, None, LIMITS, priority=9).priority == 9
    with pytest.raises(ValueError, match="a priority is 0 to 9"):
        make_item(b"", None, None, LIMITS, priority=priority)
