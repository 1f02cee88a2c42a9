from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.outcome import Outcome
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.queue.trouble import Trouble


def test_what_is_withheld_is_changed_and_what_is_changed_is_touched() -> None:
    terms = Terms.of({}, 1)
    group = QueueGroup(1, "g", terms)
    first, second, third = (
        Backlog(Ledger("g", Partition(1, number), terms, 0)) for number in range(3)
    )
    outcome, trouble = Outcome(), Trouble()
    outcome.touch(group, first)
    outcome.change(group, second)
    outcome.withhold(group, third, 5, trouble)
    assert list(outcome.touched) == [first, second, third]
    assert list(outcome.changed) == [second, third]
    assert outcome.withheld == {third: [(5, trouble)]}
