"""The supply with key lanes: of each key, only so many records at a time, in order."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final

from tapemq_broker.core.effects import Effects, ReadKeys
from tapemq_broker.core.queue.lease import Run
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.returned import RUNS_MAX
from tapemq_broker.core.queue.supply import Portion
from tapemq_broker.core.queue.trouble import Place

_READ_RECORDS: Final = 1000
"""Keys that are read at a time, and how many records should be ready at least."""


@dataclass(slots=True)
class _Lane:
    """A key: records with a slot (ready, leased, or failed and blocking), and those behind them."""

    slots: int = 0
    parked: deque[int] = field(default_factory=deque)


class Lanes:
    """Keys are known of all unsettled records up to ``cursor``; nothing is known behind it.

    A known record is *admitted* (it has a slot of its key), *parked* behind others of its key, or
    *aside*: it has failed, and does not block (key_failure "park").
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._keys: dict[int, bytes | None] = {}
        self._lanes: dict[bytes, _Lane] = {}
        self._admitted: set[int] = set()
        self._aside: set[int] = set()
        self._due: list[int] = []
        self._fresh: list[int] = []
        self._back: list[int] = []
        self._deliveries: dict[int, int] = {}
        self._unread: deque[int] = deque()
        self._asked: int | None = None
        self._cursor = 0
        self.restart()

    @property
    def cursor(self) -> int:
        """Nothing from here on was handed out, nor looked at."""
        return max(self._cursor, self._ledger.settled.floor)

    def restart(self) -> None:
        """Begin at the floor, and know nothing."""
        for known in (self._keys, self._lanes, self._deliveries, self._unread):
            known.clear()
        self._admitted.clear()
        self._aside.clear()
        for heap in (self._due, self._fresh, self._back):
            heap.clear()
        self._asked = None
        self._cursor = self._ledger.settled.floor

    def has_ready(self, *, fresh: bool) -> bool:
        """Whether there is an admitted record that is not leased."""
        return bool(self._due or self._back or (fresh and self._fresh))

    def take(self, limit: int, *, fresh: bool) -> Portion | None:
        """Troubled ones first, then those that came back, then others, by offset."""
        if self._due:
            return self._take_due(limit)
        if self._back:
            return self._take_back(limit)
        return Portion(_runs(self._fresh, limit)) if fresh and self._fresh else None

    def _take_due(self, limit: int) -> Portion:
        troubles, due = self._ledger.troubles, self._due
        counts = troubles[due[0]].counts
        alike: list[int] = []
        while due and len(alike) < min(limit, RUNS_MAX) and troubles[due[0]].counts == counts:
            alike.append(heappop(due))
            troubles[alike[-1]].place = Place.LEASED
        failures, crashes, deliveries, replayed = counts
        return Portion(_runs(alike, limit), True, failures, crashes, deliveries, replayed)

    def _take_back(self, limit: int) -> Portion:
        back = self._back
        deliveries = self._deliveries[back[0]]
        alike: list[int] = []
        while back and len(alike) < limit and self._deliveries[back[0]] == deliveries:
            alike.append(heappop(back))
            if len(alike) == RUNS_MAX:
                break
        for offset in alike:
            del self._deliveries[offset]
        return Portion(_runs(alike, limit), deliveries=deliveries)

    def give_back(self, first: int, end: int, deliveries: int) -> None:
        """They still have their slots."""
        for offset in range(first, end):
            self._deliveries[offset] = deliveries
            heappush(self._back, offset)

    def ready(self, offset: int) -> None:
        """A troubled record: it has its slot, or needs one, or its key is still to be read."""
        if offset in self._admitted:
            heappush(self._due, offset)
        elif offset not in self._keys:
            if offset < self.cursor:
                self._unread.append(offset)
        elif offset in self._aside:
            self._aside.remove(offset)
            self._enter(offset, first=True)

    def stepped_aside(self, offset: int) -> None:
        """A record has failed: it blocks its lane, or lets others pass."""
        if self._policy_parks:
            self._leave(offset)
            self._aside.add(offset)

    def settled(self, first: int, end: int) -> None:
        """Records behind them may go."""
        for offset in range(first, end):
            self._leave(offset)
            self._aside.discard(offset)
            self._keys.pop(offset, None)

    @property
    def _policy_parks(self) -> bool:
        return self._ledger.terms.policy.key_failure == "park"

    def _enter(self, offset: int, *, first: bool = False) -> None:
        """A record wants a slot of its key; ``first``: before those that are parked."""
        key = self._keys[offset]
        if key is None:
            self._admit(offset)
            return
        lane = self._lanes.setdefault(key, _Lane())
        if first:
            lane.parked.appendleft(offset)
        else:
            lane.parked.append(offset)
        self._advance(key, lane)

    def _advance(self, key: bytes, lane: _Lane) -> None:
        """Give free slots away."""
        while lane.parked and lane.slots < self._ledger.terms.policy.key_concurrency:
            lane.slots += 1
            self._admit(lane.parked.popleft())
        if not lane.slots and not lane.parked:
            del self._lanes[key]

    def _admit(self, offset: int) -> None:
        self._admitted.add(offset)
        trouble = self._ledger.troubles.get(offset)
        if trouble is None:
            heappush(self._fresh, offset)
        elif trouble.place is Place.READY:
            heappush(self._due, offset)

    def _leave(self, offset: int) -> None:
        """A record gives its slot up, if it has one."""
        if offset not in self._admitted:
            return
        self._admitted.remove(offset)
        key = self._keys[offset]
        if key is not None:
            lane = self._lanes[key]
            lane.slots -= 1
            self._advance(key, lane)

    def forget_below(self, offset: int) -> None:
        """Records are gone; those behind them may go."""
        for lane in self._lanes.values():
            lane.parked = deque(parked for parked in lane.parked if parked >= offset)
        for heap in (self._due, self._fresh, self._back):
            heap[:] = [known for known in heap if known >= offset]
            heapify(heap)
        for known in [known for known in self._keys if known < offset]:
            self._deliveries.pop(known, None)
            self.settled(known, known + 1)

    def wanted(self) -> Effects:
        """Keys, if there is little to hand out and room to remember them."""
        if self._asked is not None:
            return []
        ledger = self._ledger
        while self._unread:
            offset = self._unread.popleft()
            if offset in ledger.troubles and offset not in self._keys:
                return self._ask(offset, offset + 1)
        room = ledger.terms.policy.look_ahead - len(self._keys)
        if len(self._fresh) >= _READ_RECORDS or room <= 0:
            return []
        upto = ledger.partition.durable_offset
        self._cursor = ledger.settled.free_from(self.cursor, upto)
        end = min(upto, self._cursor + min(room, _READ_RECORDS))
        return self._ask(self._cursor, end) if self._cursor < end else []

    def _ask(self, first: int, upto: int) -> Effects:
        self._asked = first
        return [ReadKeys(self._ledger.partition.log, self._ledger.group, first, upto)]

    def keys_read(self, first: int, keys: Sequence[bytes | None]) -> None:
        """Let the records enter their lanes."""
        if self._asked != first:
            return
        self._asked = None
        for offset, key in enumerate(keys, first):
            if offset not in self._keys and self._ledger.is_unsettled(offset):
                self._know(offset, key)
        if first >= self._cursor:
            self._cursor = max(self._cursor, first + len(keys))

    def _know(self, offset: int, key: bytes | None) -> None:
        self._keys[offset] = key
        trouble = self._ledger.troubles.get(offset)
        waits = trouble is not None and trouble.place is not Place.READY
        if waits and self._policy_parks:
            self._aside.add(offset)
        else:
            self._enter(offset, first=offset < self._cursor)

    def obstacle(self) -> tuple[str, str] | None:
        """Too many records behind a few keys; or just some keys that block theirs."""
        if self._due or self._back or self._fresh:
            return None
        number = self._ledger.partition.number
        blocked = [(key, lane) for key, lane in self._lanes.items() if lane.parked]
        look_ahead = self._ledger.terms.policy.look_ahead
        if len(self._keys) >= look_ahead:
            return "look_ahead_full", (
                f"Partition {number}: {look_ahead} records are leased or parked behind "
                f"{len(blocked)} keys; nothing from offset {self.cursor} on is looked at before "
                "some of them are settled."
            )
        if not blocked:
            return None
        key, lane = max(blocked, key=lambda item: len(item[1].parked))
        return "blocked_by_key", (
            f"Partition {number}: {len(blocked)} keys block records behind them, most of all "
            f"{key!r}: {len(lane.parked)} wait behind it, from offset {lane.parked[0]} on."
        )


def _runs(heap: list[int], limit: int) -> list[Run]:
    """Runs of at most ``limit`` of the lowest offsets, which are removed."""
    runs: list[Run] = []
    while heap and limit:
        if runs and runs[-1][1] == heap[0]:
            runs[-1] = (runs[-1][0], heappop(heap) + 1)
        elif len(runs) == RUNS_MAX:
            break
        else:
            offset = heappop(heap)
            runs.append((offset, offset + 1))
        limit -= 1
    return runs
