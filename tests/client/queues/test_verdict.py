from datetime import timedelta

import pytest

from tapemq.queues.verdict import ACK, Duration, Verdict, milliseconds, nack, reject
from tapemq.wire import messages as m


def test_a_verdict_is_the_fields_of_the_message() -> None:
    assert Verdict._fields == m.Settle._fields[1:6]
    assert Verdict._field_defaults.items() <= m.Settle._field_defaults.items()
    assert m.Settle(1, *ACK) == m.Settle(1, "ack")


def test_delay_of_a_nack() -> None:
    assert nack() == Verdict("nack", by_policy=True)
    assert nack(0) == Verdict("nack", by_policy=False, delay_ms=0)
    assert nack(1.5, "r", "e") == Verdict("nack", False, 1500, "r", "e")


def test_long_texts_are_cut_between_letters() -> None:
    verdict = reject("ä" * 150, "ü" * 600)
    assert verdict.reason == "ä" * 100
    assert verdict.error == "ü" * 512
    assert nack(reason="\udcff").reason == "?"


@pytest.mark.parametrize(
    ("duration", "expected"), [(0, 0), (1.5, 1500), (timedelta(minutes=1), 60_000), (2, 2000)]
)
def test_durations(duration: Duration, expected: int) -> None:
    assert milliseconds(duration) == expected


@pytest.mark.parametrize("duration", [-1, timedelta(-1), float("nan"), float("inf")])
def test_no_durations(duration: Duration) -> None:
    with pytest.raises(ValueError, match="0 or more seconds"):
        milliseconds(duration)


def test_an_error_may_be_the_reason() -> None:
    assert nack(reason=ValueError("odd")).reason == "odd"  # type: ignore[arg-type]
    assert reject(error=None).error == ""  # type: ignore[arg-type]
