from typing import Any

import pytest
import typer

import tapemq
from tapemq.queues.settings import wire_settings
from tapemq_broker.cli import queue_setting_text
from tapemq_broker.cli.queue_setting_text import read_queue_settings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lease=30", 30.0),
        ("lease=1.5m", 90.0),
        ("max_attempts=0", 0),
        ("max_age=1d", 86_400.0),
        ("retry=1,5s,1m", [1.0, 5.0, 60.0]),
        ("retry=first:2,cap:10m", tapemq.Backoff(first=2.0, cap=600.0)),
        ("retry=factor:3,jitter:0", tapemq.Backoff(factor=3.0, jitter=0.0)),
        ("key_lanes=yes", True),
        ("paused=false", False),
        ("key_failure=park", "park"),
    ],
)
def test_settings_are_read(text: str, value: Any) -> None:
    assert read_queue_settings([text]) == {text.partition("=")[0]: value}


def test_they_are_all_that_the_sdk_knows() -> None:
    assert set(queue_setting_text._READERS) == set(tapemq.QueueSettings.__annotations__)
    wire_settings(read_queue_settings(["lease=5", "retry=1,2", "hold=no", "dead_max=7"]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lease", "'lease' is not NAME=VALUE, such as max_attempts=3"),
        ("leese=3", "there is no setting 'leese'; there are lease, max_attempts"),
        ("lease=soon", "'lease=soon': lease is a duration, such as 30"),
        ("lease=-1", "lease is a duration"),
        ("max_attempts=1.5", "max_attempts is a whole number from 0 on"),
        ("paused=maybe", "paused is yes or no"),
        ("retry=1,soon", "retry is delays such as 1,5,60, or first:1"),
        ("retry=last:1", "retry is delays such as 1,5,60, or first:1"),
        ("key_failure=stop", "key_failure is block or park"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, said: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        read_queue_settings([text])
    assert said in str(caught.value)
