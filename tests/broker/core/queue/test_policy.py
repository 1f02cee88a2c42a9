from typing import Any, ClassVar

import pytest

from tapemq_broker.core.queue.policy import Policy
from tapemq_broker.core.refusal import Refused
from tests.support.core.reading import data_log


def test_delays_grow_up_to_the_cap() -> None:
    policy = Policy.of({"retry_jitter_percent": 0, "retry_cap_ms": 5000})
    assert [policy.retry_delay_ms(data_log(), 0, n) for n in (1, 2, 3, 4, 999)] == [
        *(1000, 2000, 4000),
        *(5000, 5000),
    ]


def test_a_list_of_delays_repeats_its_last_one() -> None:
    policy = Policy.of({"retry_jitter_percent": 0, "retry_delays_ms": "10,50, 70"})
    assert [policy.retry_delay_ms(data_log(), 0, n) for n in (1, 2, 3, 4)] == [10, 50, 70, 70]


class CountedText(str):
    """A text that counts how often it is taken apart."""

    __slots__ = ()
    parted: ClassVar = 0

    def split(self, *args: Any) -> list[str]:
        CountedText.parted += 1
        return super().split(*args)


def test_a_list_of_delays_is_not_read_anew_for_each_record() -> None:
    """It may have 2,000 entries, and a frame can fail thousands of records."""
    policy = Policy(retry_delays_ms=CountedText(",".join(map(str, range(2000)))))
    for offset in range(100):
        policy.retry_delay_ms(data_log(), offset, 1)
    assert CountedText.parted <= 1


def test_jitter_spreads_records_around_the_delay_and_is_the_same_for_the_same_one() -> None:
    policy = Policy.of({"retry_base_ms": 1000, "retry_jitter_percent": 50})
    delays = [policy.retry_delay_ms(data_log(), offset, 1) for offset in range(1000)]
    assert delays == [policy.retry_delay_ms(data_log(), offset, 1) for offset in range(1000)]
    assert 750 <= min(delays) < 760
    assert 1240 < max(delays) <= 1250
    assert 980 < sum(delays) / len(delays) < 1020
    assert policy.retry_delay_ms(data_log(1), 0, 1) != delays[0]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"leese_ms": 5}, "no queue setting 'leese_ms'"),
        ({"lease_ms": "5"}, "not a int"),
        ({"lease_ms": True}, "not a int"),
        ({"paused": 1}, "not a bool"),
        ({"lease_ms": 99}, "not 100 to"),
        ({"max_attempts": -1}, "not 0 to"),
        ({"retry_max": 0}, "not 1 to"),
        ({"retry_jitter_percent": 201}, "not 0 to 200"),
        ({"key_failure": "die"}, "not block or park"),
        ({"retry_delays_ms": "1;2"}, "milliseconds such as"),
        ({"retry_delays_ms": "1,-2"}, "milliseconds such as"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(Refused, match=what):
        Policy.of(settings)
