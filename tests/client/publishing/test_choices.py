from typing import Any

import pytest

from tapemq.batch import Codec
from tapemq.publishing.choices import producer_lanes, publish_lanes
from tests.support.talk import WELCOME

CHOICES: dict[str, Any] = {
    "linger": 0.5, "batch_bytes": 2000, "compression": "zlib", "max_in_flight": 3,
}  # fmt: skip


def test_choices_become_lane_options() -> None:
    assert producer_lanes(WELCOME, **CHOICES) == (2000, 0.5, 3, Codec.ZLIB)


def test_broker_s_limit_is_kept() -> None:
    small = WELCOME._replace(batch_bytes_max=1500, record_bytes_max=1000)
    assert producer_lanes(small, **CHOICES).batch_bytes == 1016
    assert publish_lanes(small).batch_bytes == 1016


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_bytes": 1023},
        {"max_in_flight": 33},
        {"linger": -1.0},
        {"compression": "rar"},
    ],
    ids=str,
)
def test_wrong_choice_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        producer_lanes(WELCOME, **CHOICES | wrong)
