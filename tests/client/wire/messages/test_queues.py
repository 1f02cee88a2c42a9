import pytest

from tapemq.wire import messages as m
from tapemq.wire.session import Role
from tests.support.wire_codec import check_codec, examples_of, may_send
from tests.support.wire_examples import Example


@pytest.mark.parametrize("example", examples_of("queues"), ids=lambda example: example.name)
def test_golden_bytes_both_ways_and_cut_anywhere(example: Example) -> None:
    check_codec(example)


def test_who_says_what() -> None:
    told = {m.Leased, m.Settled, m.LeaseLost, m.Queue, m.Explanation, m.DeadPage, m.Affected}
    for example in examples_of("queues"):
        side = Role.BROKER if type(example.message) in told else Role.CLIENT
        assert may_send(example.message) == {side}


def test_nothing_is_leased_without_credit() -> None:
    consume = m.Consume(1, 2, "g")
    assert (consume.credit_records, consume.credit_bytes) == (0, 0)
    assert (consume.start, consume.settings) == ("earliest", {})


def test_nothing_is_redriven_or_discarded_unless_it_is_named() -> None:
    for request in (m.Redrive(2, "g", 0), m.Discard(2, "g", 0)):
        assert (request.reason, request.all) == ("", False)
