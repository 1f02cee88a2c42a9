"""Which partition of a queue group is next."""

from collections import OrderedDict

from tapemq_broker.core.queue.backlog import Backlog


class Turns:
    """Partitions with work stand in line."""

    def __init__(self) -> None:
        self._open: OrderedDict[int, Backlog] = OrderedDict()

    def put(self, backlog: Backlog) -> None:
        """A partition has work; nothing, if it stands in line already."""
        self._open[backlog.partition.number] = backlog

    def next(self) -> Backlog | None:
        """Whose turn it is; it stands in line no more."""
        while self._open:
            _, backlog = self._open.popitem(last=False)
            if backlog.can_hand_out():
                return backlog
        return None


class LevelTurns:
    """A line for each level of priority, of which lower ones wait for higher ones.

    They also wait while a lease of a higher level is on its way and more is ready behind it, or a
    second consumer would get what is less urgent just because it asks in that moment.
    """

    def __init__(self, levels: int) -> None:
        self._lines = [Turns() for _ in range(levels)]
        self._taken: list[dict[int, Backlog]] = [{} for _ in range(levels)]

    def put(self, backlog: Backlog) -> None:
        """As Turns.put()."""
        self._lines[backlog.partition.number % len(self._lines)].put(backlog)

    def next(self) -> Backlog | None:
        """Whose turn it is; None also while there is something to wait for."""
        for line, taken in zip(reversed(self._lines), reversed(self._taken), strict=True):
            backlog = line.next()
            if backlog is not None:
                taken[backlog.partition.number] = backlog
                return backlog
            if _is_more_to_come(taken):
                return None
        return None


def _is_more_to_come(taken: dict[int, Backlog]) -> bool:
    """Whether something is ready behind the leases that are on their way from these partitions."""
    for number in [number for number, backlog in taken.items() if backlog.sending is None]:
        del taken[number]
    return any(backlog.supply.has_ready(fresh=backlog.takes_fresh) for backlog in taken.values())
