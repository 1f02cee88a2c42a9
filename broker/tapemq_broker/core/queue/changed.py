"""Which ledgers have something to write, by their group log."""

from tapemq.batch import LogId
from tapemq_broker.core.queue.ledger import Changes, Ledger


class Changed:
    """A ledger stands here until its changes are taken."""

    def __init__(self) -> None:
        self._by_log: dict[LogId, dict[Ledger, None]] = {}

    def add(self, ledger: Ledger) -> None:
        """It has changed."""
        self._by_log.setdefault(ledger.partition.groups_log, {})[ledger] = None

    def forget(self, ledger: Ledger) -> None:
        """It is of no use any more."""
        self._by_log.get(ledger.partition.groups_log, {}).pop(ledger, None)

    def take(self, log: LogId) -> Changes:
        """All that has to be written to a group log."""
        changes: Changes = {}
        for ledger in self._by_log.pop(log, ()):
            changes.update(ledger.take_changes())
        return changes
