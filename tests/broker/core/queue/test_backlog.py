from collections.abc import Callable

import pytest

from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.backlog import LEASES_MAX, Backlog
from tapemq_broker.core.queue.dead import Dead
from tapemq_broker.core.queue.lease import Lease
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.queue.trouble import Place
from tests.support.core.unwalked import Unwalked

DEAD = Dead("r", "", 1, 0, 2, 3, 4)


def backlog(records: int = 10, **settings: int | str | bool) -> Backlog:
    partition = Partition(1, 0)
    partition.opened(0, records, records)
    return Backlog(Ledger("g", partition, Terms.of(settings, 1), 0))


def leased(found: Backlog) -> None:
    lease = Lease(1, [(0, 1)], troubled=False, deliveries=0, lease_s=1.0)
    found.leases = dict.fromkeys(range(LEASES_MAX), lease)


def sending(found: Backlog) -> None:
    found.sending = 7


def damaged(found: Backlog) -> None:
    found.damage = "rot"


def dead(found: Backlog) -> None:
    found.ledger.bury(3, DEAD)


def waiting(found: Backlog) -> None:
    found.waiting = 1


@pytest.mark.parametrize("obstacle", [leased, sending, damaged, dead, waiting])
def test_what_keeps_records_back(obstacle: Callable[[Backlog], None]) -> None:
    found = backlog(dead_max=1, retry_max=1)
    assert found.can_hand_out()
    obstacle(found)
    assert not found.can_hand_out()


def test_ready_is_what_is_neither_settled_nor_leased_nor_waits() -> None:
    found = backlog()
    found.ledger.settled.add(0, 2)
    found.ledger.settled.add(5, 6)
    found.leased, found.waiting = 3, 1
    assert found.ready == 3


def test_a_seek_begins_anew() -> None:
    found = backlog()
    found.supply.take(5, fresh=True)
    found.ledger.trouble(3)
    found.waiting, found.damage = 1, "rot"
    found.seek(4)
    assert (found.ready, found.waiting, found.damage) == (6, 0, "")
    portion = found.supply.take(9, fresh=True)
    assert portion is not None
    assert portion.runs == [(4, 10)]


def test_what_is_gone_waits_no_more() -> None:
    found = backlog()
    found.supply.take(5, fresh=True)
    for offset, place in enumerate((Place.WAITING, Place.WITHHELD, Place.READY)):
        found.ledger.trouble(offset).place = place
    found.waiting = 2
    found.forget_below(2)
    assert (found.waiting, found.totals.gone) == (0, 2)
    assert sorted(found.ledger.troubles) == [2]


def test_what_is_gone_is_found_without_looking_at_what_is_left() -> None:
    """Where the oldest records are dropped, some go with each round of syncs."""
    found = backlog()
    for offset in (1, 6):
        found.ledger.trouble(offset).place = Place.WAITING
    for offset in (2, 7):
        found.ledger.bury(offset, DEAD)
    found.waiting = 2
    found.ledger.troubles = Unwalked(found.ledger.troubles)
    found.ledger.dead = Unwalked(found.ledger.dead)
    found.forget_below(5)
    assert (found.waiting, found.totals.gone) == (1, 4)
    assert [offset in found.ledger.troubles for offset in (1, 6)] == [False, True]
    assert [offset in found.ledger.dead for offset in (2, 7)] == [False, True]
