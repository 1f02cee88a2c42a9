import pytest

from tapemq.wire import messages as m
from tapemq.wire.session import Role
from tests.support.wire_codec import check_codec, examples_of, may_send
from tests.support.wire_examples import Example


@pytest.mark.parametrize("example", examples_of("publishing"), ids=lambda example: example.name)
def test_golden_bytes_both_ways_and_cut_anywhere(example: Example) -> None:
    check_codec(example)


def test_requests_and_their_answers() -> None:
    assert may_send(m.OpenProducer()) == may_send(m.Publish(1, 0, 0)) == {Role.CLIENT}
    assert may_send(m.Producer(1, 0)) == may_send(m.Receipt(0)) == {Role.BROKER}


def test_durable_is_the_default() -> None:
    assert m.Publish(1, 0, 0).level == m.Receipt(0).level == 0
    assert not m.Receipt(0).duplicate
