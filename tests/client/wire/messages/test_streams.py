import pytest

from tapemq.wire import messages as m
from tapemq.wire.session import Role
from tests.support.wire_codec import check_codec, examples_of, may_send
from tests.support.wire_examples import Example


@pytest.mark.parametrize("example", examples_of("streams"), ids=lambda example: example.name)
def test_golden_bytes_both_ways_and_cut_anywhere(example: Example) -> None:
    check_codec(example)


def test_pushes_come_from_the_broker() -> None:
    for example in examples_of("streams"):
        pushes = {m.Assigned, m.Revoke, m.Deliver, m.Detached}
        side = Role.BROKER if type(example.message) in pushes else Role.CLIENT
        assert may_send(example.message) == {side}


def test_nothing_is_sent_without_credit() -> None:
    subscribe = m.Subscribe(1, 2)
    assert (subscribe.credit_records, subscribe.credit_bytes) == (0, 0)
    assert (subscribe.group, subscribe.start, subscribe.hold) == ("", "latest", False)
