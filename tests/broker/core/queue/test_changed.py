from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.changed import Changed
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.terms import Terms
from tests.support.core.reading import groups_log


def test_all_groups_of_a_log_are_written_at_once() -> None:
    partition, changed = Partition(1, 0), Changed()
    ledgers = [Ledger(name, partition, Terms.of({}, 1), 0) for name in "abc"]
    for ledger in ledgers:
        changed.add(ledger)
        changed.add(ledger)
    changed.forget(ledgers[1])
    assert list(changed.take(groups_log())) == [b"a", b"c"]
    assert changed.take(groups_log()) == {}
    assert changed.take(groups_log(5)) == {}
