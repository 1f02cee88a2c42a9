"""Timers of records that linger."""

from tapemq.errors import Closed
from tapemq.publishing.item import Item
from tests.support.shell import Hands, routed_shell


def test_nothing_is_kept_of_a_closed_publisher_until_its_records_would_have_left() -> None:
    hands = Hands()
    shell = routed_shell(hands, linger_s=3600.0)
    for partition in (0, 1):
        shell.add(Item(b"0", None, b""), partition, 0)
    hands.turn()
    assert [when for when, _ in hands.due] == [3600.0, 3600.0]
    shell.fail(Closed("the producer was closed"))
    assert hands.due == []
