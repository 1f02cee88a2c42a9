import pytest

from tapemq.wire import messages as m
from tapemq.wire.session import Role
from tests.support.wire_codec import check_codec, examples_of, may_send
from tests.support.wire_examples import Example


@pytest.mark.parametrize("example", examples_of("schedules"), ids=lambda example: example.name)
def test_golden_bytes_both_ways_and_cut_anywhere(example: Example) -> None:
    check_codec(example)


def test_who_says_what() -> None:
    told = {m.Scheduled, m.ScheduleInfo, m.SchedulePage}
    for example in examples_of("schedules"):
        side = Role.BROKER if type(example.message) in told else Role.CLIENT
        assert may_send(example.message) == {side}


def test_schedule_is_one_time_and_without_a_key_unless_it_says_more() -> None:
    schedule = m.Schedule(2, 0, 0)
    assert (schedule.key, schedule.cron, schedule.every_ms) == (b"", "", 0)
