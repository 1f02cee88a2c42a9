"""The plain supply: what came back first, then one record after the other."""

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush

from tapemq_broker.core.effects import Effects
from tapemq_broker.core.queue.lease import Run
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.returned import RUNS_MAX, Returned
from tapemq_broker.core.queue.supply import Portion
from tapemq_broker.core.queue.trouble import Place


class Frontier:
    """Nothing from ``cursor`` on was handed out; what is settled there is from before the start."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._returned = Returned()
        self._due: list[int] = []
        # Troubled records beyond the cursor: they come when their time has come.
        self._ahead: deque[int] = deque()
        self._cursor = 0
        self.restart()

    @property
    def cursor(self) -> int:
        """Nothing from here on was handed out."""
        return max(self._cursor, self._ledger.settled.floor)

    def restart(self) -> None:
        """Begin at the floor."""
        self._cursor = floor = self._ledger.settled.floor
        revived = self._ledger.revived
        troubled = (o for o in self._ledger.troubles if o >= floor and o not in revived)
        self._ahead = deque(sorted(troubled))
        self._due.clear()
        self._returned.clear()

    def has_ready(self, *, fresh: bool) -> bool:
        """Whether there is anything; may be wrong once about the last records."""
        self._drop_stale()
        if self._due or self._returned:
            return True
        return fresh and self._skip() < self._ledger.partition.durable_offset

    def take(self, limit: int, *, fresh: bool) -> Portion | None:
        """Troubled ones first, which waited longest; then those that came back."""
        self._drop_stale()
        if self._due:
            return self._take_due(limit)
        if self._returned:
            runs, deliveries = self._returned.take(limit)
            return Portion(runs, deliveries=deliveries)
        return self._take_fresh(limit) if fresh else None

    def _drop_stale(self) -> None:
        """What was ready may be gone by now."""
        due, troubles = self._due, self._ledger.troubles
        while due and (due[0] not in troubles or troubles[due[0]].place is not Place.READY):
            heappop(due)

    def _take_due(self, limit: int) -> Portion:
        troubles = self._ledger.troubles
        counts = troubles[self._due[0]].counts
        runs: list[Run] = []
        while self._due and limit and troubles[self._due[0]].counts == counts:
            offset = heappop(self._due)
            if runs and runs[-1][1] == offset:
                runs[-1] = (runs[-1][0], offset + 1)
            elif len(runs) == RUNS_MAX:
                heappush(self._due, offset)
                break
            else:
                runs.append((offset, offset + 1))
            troubles[offset].place = Place.LEASED
            limit -= 1
            self._drop_stale()
        failures, crashes, deliveries, replayed = counts
        return Portion(runs, True, failures, crashes, deliveries, replayed)

    def _skip(self) -> int:
        """The first record that was never handed out; what is behind the cursor is of no use."""
        upto = self._ledger.partition.durable_offset
        cursor = self.cursor
        while cursor < upto:
            cursor = self._ledger.settled.free_from(cursor, upto)
            while self._ahead and self._ahead[0] < cursor:
                self._ahead.popleft()
            if not self._ahead or self._ahead[0] != cursor:
                break
            cursor += 1
        self._cursor = max(self._cursor, cursor)
        return self._cursor

    def _take_fresh(self, limit: int) -> Portion | None:
        first = self._skip()
        upto = min(first + limit, self._ledger.partition.durable_offset)
        if self._ahead:
            upto = min(upto, self._ahead[0])
        end = self._ledger.settled.free_until(first, upto)
        self._cursor = max(first, end)
        return Portion([(first, end)]) if first < end else None

    def give_back(self, first: int, end: int, deliveries: int) -> None:
        """Nothing of it has trouble."""
        self._returned.add(first, end, deliveries)

    def ready(self, offset: int) -> None:
        """It is among the first now."""
        heappush(self._due, offset)

    def stepped_aside(self, offset: int) -> None:
        """Others do not care."""

    def settled(self, first: int, end: int) -> None:
        """Others do not care."""

    def forget_below(self, offset: int) -> None:
        """The cursor follows by itself."""
        self._returned.forget_below(offset)

    def settings_changed(self) -> None:
        """None is of concern."""

    def wanted(self) -> Effects:
        """Nothing: offsets are enough."""
        return []

    def keys_read(self, first: int, keys: Sequence[bytes | None]) -> None:
        """They were wanted by others."""

    def keys_unread(self, first: int, reason: str) -> None:
        """They were wanted by others."""

    @property
    def damage(self) -> str:
        """It reads nothing that could be damaged."""
        return ""

    def obstacle(self) -> tuple[str, str] | None:
        """There is none."""
        return None

    def remarks(self) -> list[str]:
        """There are none."""
        return []
