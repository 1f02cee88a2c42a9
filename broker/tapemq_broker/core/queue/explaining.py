"""Why a queue group is idle, or stuck, in words."""

from tapemq_broker.core.counting import agreeing, counted
from tapemq_broker.core.queue.backlog import LEASES_MAX, Backlog
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.trouble import Place
from tapemq_broker.core.results import Explanation


def explain(group: QueueGroup, now_us: int) -> Explanation:
    """The first reason that applies is the state; what else there is to say follows."""
    backlogs = list(group.backlogs.values())
    found = _obstacles(group, backlogs, now_us)
    numbers = _numbers(backlogs)
    state = found[0][0] if found else "delivering"
    remarks = [remark for backlog in backlogs for remark in backlog.supply.remarks()]
    return Explanation(state, [*dict.fromkeys(text for _, text in found), numbers, *remarks])


def _numbers(backlogs: list[Backlog]) -> str:
    ready = sum(backlog.ready for backlog in backlogs)
    leased = sum(backlog.leased for backlog in backlogs)
    waiting = sum(backlog.waiting for backlog in backlogs)
    dead = sum(len(backlog.ledger.dead_offsets) for backlog in backlogs)
    numbers = (
        f"{counted(ready, 'record')} {agreeing(ready, 'is', 'are')} ready, {leased:,} leased, "
        f"{waiting:,} {agreeing(waiting, 'waits', 'wait')} for a retry, "
        f"{dead:,} {agreeing(dead, 'is', 'are')} dead."
    )
    dropped = sum(backlog.partition.dropped for backlog in backlogs)
    if dropped:
        were = agreeing(dropped, "was", "were")
        numbers += f" {dropped:,} {were} dropped because of the topic's max_records or max_bytes."
    return numbers


def _obstacles(group: QueueGroup, backlogs: list[Backlog], now_us: int) -> list[tuple[str, str]]:
    found = [
        ("damaged", f"Partition {b.partition.number} cannot be read: {damage}")
        for b in backlogs
        if (damage := b.damage or b.supply.damage)
    ]
    if group.terms.policy.paused:
        found.append(("paused", "The group is paused; resume it to go on."))
    if not any(backlog.ledger.unsettled() for backlog in backlogs):
        return [*found, ("caught_up", "Every record that there is has been settled.")]
    if not group.consumers:
        found.append(("no_consumers", "Nobody takes records of this group."))
    found += [obstacle for backlog in backlogs for obstacle in _limits(backlog)]
    ready = [backlog for backlog in backlogs if backlog.ready]
    if ready and group.consumers and not group.with_credit:
        text = "All consumers have used their credit: they hold as many records as they asked for."
        found.append(("no_credit", text))
    obstacles = [backlog.supply.obstacle() for backlog in ready]
    if obstacles and all(obstacles):
        found += [obstacle for obstacle in obstacles if obstacle]
    if not ready and not any(backlog.leased for backlog in backlogs):
        found += _waiting(backlogs, now_us)
    return found


def _limits(backlog: Backlog) -> list[tuple[str, str]]:
    """What keeps records of a partition back though there are consumers."""
    policy = backlog.ledger.terms.policy
    where = f"Partition {backlog.partition.number}"
    found = []
    if len(backlog.ledger.dead_offsets) >= policy.dead_max:
        dead = counted(len(backlog.ledger.dead_offsets), "dead record")
        text = f"{where} has {dead}: redrive or discard some."
        found.append(("dead_full", text))
    if not backlog.takes_fresh:
        waiting = counted(backlog.waiting, "record")
        wait = agreeing(backlog.waiting, "waits", "wait")
        text = f"{where}: {waiting} {wait} for a retry; no new ones are handed out."
        found.append(("retry_full", text))
    if len(backlog.leases) >= LEASES_MAX:
        found.append(("no_credit", f"{where} has {LEASES_MAX} leases, which is the most."))
    return found


def _waiting(backlogs: list[Backlog], now_us: int) -> list[tuple[str, str]]:
    troubles = [trouble for backlog in backlogs for trouble in backlog.ledger.troubles.values()]
    if not troubles:
        return []
    if any(trouble.place is Place.WITHHELD for trouble in troubles):
        return [("retrying", "Records that failed wait until the disk knows of it.")]
    first_us = min(trouble.not_before_us for trouble in troubles)
    wait_s = max(0, first_us - now_us) / 1_000_000
    return [("retrying", f"All records wait for a retry; the next one comes in {wait_s:.1f} s.")]
