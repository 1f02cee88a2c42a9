import pytest

from tapemq.wire import messages as m
from tapemq.wire.session import Role
from tests.support.wire_codec import check_codec, examples_of, may_send
from tests.support.wire_examples import Example


@pytest.mark.parametrize("example", examples_of("groups"), ids=lambda example: example.name)
def test_golden_bytes_both_ways_and_cut_anywhere(example: Example) -> None:
    check_codec(example)


def test_answers_come_from_the_broker() -> None:
    for example in examples_of("groups"):
        side = Role.BROKER if example.name == "Group" else Role.CLIENT
        assert may_send(example.message) == {side}


def test_a_group_that_never_committed() -> None:
    group = m.Group("stream", 0, 0, False, 0, 0)
    assert (group.member, group.commit_time_us) == ("", 0)
