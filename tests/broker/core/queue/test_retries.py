from tapemq_broker.core.queue.retries import Retries
from tapemq_broker.core.queue.trouble import Place
from tests.support.core.queueing import group


def test_records_are_ready_in_their_time() -> None:
    made, retries = group(), Retries()
    backlog = made.backlogs[0]
    backlog.supply.take(5, fresh=True)
    for offset, due_us in enumerate((500, 0, 300)):
        trouble = backlog.ledger.trouble(offset)
        trouble.not_before_us = due_us
        backlog.waiting += 1
        retries.wait(made, backlog, offset, trouble)
    assert backlog.ledger.troubles[1].place is Place.READY
    assert backlog.waiting == 2
    assert retries.due(299) == {}
    assert retries.due(300) == {backlog: made}
    assert [t.place for _, t in sorted(backlog.ledger.troubles.items())] == [
        *(Place.WAITING, Place.READY),
        Place.READY,
    ]
    assert retries.due(9999) == {backlog: made}
    assert backlog.waiting == 0


def test_what_is_settled_meanwhile_does_not_come_back() -> None:
    made, retries = group(), Retries()
    backlog = made.backlogs[0]
    trouble = backlog.ledger.trouble(3)
    trouble.not_before_us = 5
    retries.wait(made, backlog, 3, trouble)
    backlog.ledger.untrouble(3)
    backlog.ledger.trouble(3)
    assert retries.due(10) == {}
    assert backlog.ledger.troubles[3].place is Place.WITHHELD


def test_very_many_come_some_at_a_time() -> None:
    made, retries = group(), Retries()
    backlog = made.backlogs[0]
    for offset in range(2001):
        trouble = backlog.ledger.trouble(offset)
        trouble.not_before_us = 5
        backlog.waiting += 1
        retries.wait(made, backlog, offset, trouble)
    retries.due(10)
    assert backlog.waiting == 1
    retries.due(10)
    assert backlog.waiting == 0
