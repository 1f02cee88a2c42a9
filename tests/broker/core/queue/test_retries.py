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


def test_what_is_of_no_use_any_more_is_not_kept_for_years() -> None:
    made, retries = group(), Retries()
    backlog = made.backlogs[0]
    for _ in range(5000):  # as with seeks, or records that retention removes
        trouble = backlog.ledger.trouble(3)
        trouble.not_before_us = 10**15
        retries.wait(made, backlog, 3, trouble)
        backlog.ledger.untrouble(3)
    assert len(retries) <= 2000


def test_what_waits_is_in_order_however_much_else_was_forgotten() -> None:
    made, retries = group(), Retries()
    backlog = made.backlogs[0]
    for offset in range(4000):
        trouble = backlog.ledger.trouble(offset)
        trouble.not_before_us = 4000 - offset
        backlog.waiting += 1
        retries.wait(made, backlog, offset, trouble)
        if offset % 2:
            backlog.ledger.untrouble(offset)
            backlog.waiting -= 1
    assert retries.due(1000) == {backlog: made}
    ready = {o for o, known in backlog.ledger.troubles.items() if known.place is Place.READY}
    assert ready == set(range(3000, 4000, 2))
