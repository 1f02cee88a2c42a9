"""A queue group on a partition, in numbers."""

from typing import Final

from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.results import QueueInfo

_CREDIT_MAX: Final = 2**64 - 1
"""Clients may ask for as much, each of them."""


def describe(group: QueueGroup, backlog: Backlog) -> QueueInfo:
    """Counts as they are kept: nothing is walked over, but for the consumers."""
    ledger, totals = backlog.ledger, backlog.totals
    return QueueInfo(
        partition=backlog.partition.number,
        ack_floor=ledger.settled.floor,
        cursor=backlog.supply.cursor,
        visible=backlog.partition.durable_offset,
        ready=backlog.ready,
        leased=backlog.leased,
        retrying=backlog.waiting,
        dead=len(ledger.dead_offsets),
        settled_above_floor=ledger.settled.count,
        consumers=len(group.consumers),
        credit_records=min(_CREDIT_MAX, sum(c.credit_records for c in group.consumers.values())),
        settings=group.terms.settings,
        redelivered=totals.redelivered,
        acked=totals.acked,
        failed=totals.failed,
        crashed=totals.crashed,
        expired=totals.expired,
        gone=totals.gone,
    )
