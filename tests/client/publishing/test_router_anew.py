"""A topic that is deleted and made anew with fewer partitions, under an open producer."""

import pytest

from tapemq.errors import PartitionNotFound
from tapemq.publishing.item import Item
from tapemq.wire import messages as m
from tests.support.lanes import Waiting
from tests.support.shell import Hands, routed_shell
from tests.support.talk import Talk

RECORD = Item(b"x", None, b"")
ONE_PARTITION = m.Topic("t", 8, 1, 1, {})


def test_records_for_partitions_that_are_no_more_fail_with_that_reason() -> None:
    """Nor do others come into the new topic, whose publisher would be told the same."""
    hands = Hands()
    shell, waiters = routed_shell(hands), (Waiting(), Waiting())
    for partition, waiter in enumerate(waiters):
        shell.add(RECORD, partition, 0, waiter)
    hands.connection = talk = Talk()
    shell.rerouted(ONE_PARTITION)
    hands.turn()
    assert talk.heard() == []
    for waiter in waiters:
        with pytest.raises(PartitionNotFound, match=r"fewer partitions: it has 1, .* for 1$"):
            raise waiter.error or AssertionError


def test_a_partition_that_is_no_more_is_left_where_nothing_waits_for_it() -> None:
    hands, given_up = Hands(), Waiting()
    shell = routed_shell(hands)
    shell.add(RECORD, None, 0)
    shell.hurry()
    assert shell.add(RECORD, None, 0, given_up).partition == 1
    assert given_up.batch is not None
    given_up.batch.discard(given_up)
    shell.rerouted(ONE_PARTITION)
    assert shell.failure is None
    assert shell.add(RECORD, None, 0).partition == 0
