import pytest

from tapemq.wire import messages as m
from tapemq.wire.session import Role
from tests.support.wire_codec import check_codec, examples_of, may_send
from tests.support.wire_examples import Example


@pytest.mark.parametrize("example", examples_of("topics"), ids=lambda example: example.name)
def test_golden_bytes_both_ways_and_cut_anywhere(example: Example) -> None:
    check_codec(example)


def test_answers_come_from_the_broker() -> None:
    for example in examples_of("topics"):
        answers = {m.Topic, m.Names, m.Partition, m.Status}
        side = Role.BROKER if type(example.message) in answers else Role.CLIENT
        assert may_send(example.message) == {side}


def test_one_broker_serves_all_partitions_by_default() -> None:
    topic = m.Topic("orders", 1, 8, 1, {})
    assert (topic.first_partitions, topic.addresses) == ([0], [""])
