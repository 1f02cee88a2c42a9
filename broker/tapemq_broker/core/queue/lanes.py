"""The supply with key lanes: of each key, only so many records at a time, in order."""

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush, nlargest
from typing import Final

from pyroaring import BitMap64

from tapemq_broker.core.counting import agreeing, counted
from tapemq_broker.core.effects import Effects, ReadKeys
from tapemq_broker.core.queue.beyond import Beyond
from tapemq_broker.core.queue.lane import Lane
from tapemq_broker.core.queue.ledger import Ledger, below
from tapemq_broker.core.queue.returned import RUNS_MAX, lowest_runs
from tapemq_broker.core.queue.supply import Portion
from tapemq_broker.core.queue.trouble import Place

_READ_RECORDS: Final = 1000
"""Keys that are read at a time, and how many records should be ready at least."""

_NAMED_KEYS: Final = 3


class Lanes:
    """Nothing is known from ``cursor`` on. An unsettled record below it is *admitted* (it has a
    slot of its key), *parked* behind others of its key, with its key or *beyond* what there is room
    for, or *aside*: it has failed, and does not block (key_failure "park").
    """

    damage = ""  # why what was asked for does not come

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._keys: dict[int, bytes | None] = {}
        self._known = BitMap64()  # the offsets in _keys
        self._lanes: dict[bytes, Lane] = {}
        self._parked = 0
        self._beyond = Beyond()
        self._admitted: set[int] = set()
        self._aside: set[int] = set()
        self._due: list[int] = []
        self._fresh: list[int] = []
        self._back: list[int] = []
        self._deliveries: dict[int, int] = {}
        self._unread: deque[int] = deque()
        # Lanes with a free slot, and with nothing to fill it but what is parked beyond.
        self._hungry: dict[bytes, None] = {}
        self._asked: int | None = None
        self._sought: Lane | None = None
        self._wishes = deque([self._ask_next, self._ask_parked])
        self._cursor = 0
        self.restart()

    @property
    def cursor(self) -> int:
        """Nothing from here on was handed out, nor looked at."""
        return max(self._cursor, self._ledger.settled.floor)

    def restart(self) -> None:
        """Begin at the floor, and know nothing."""
        for known in (self._keys, self._lanes, self._deliveries, self._unread, self._hungry):
            known.clear()
        self._known.clear()
        self._beyond.clear()
        self._parked = 0
        self._admitted.clear()
        self._aside.clear()
        for heap in (self._due, self._fresh, self._back):
            heap.clear()
        self._asked, self._sought, self.damage = None, None, ""
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
        return Portion(lowest_runs(self._fresh, limit)) if fresh and self._fresh else None

    def _take_due(self, limit: int) -> Portion:
        troubles, due = self._ledger.troubles, self._due
        counts = troubles[due[0]].counts
        alike: list[int] = []
        while due and len(alike) < min(limit, RUNS_MAX) and troubles[due[0]].counts == counts:
            alike.append(heappop(due))
            troubles[alike[-1]].place = Place.LEASED
        failures, crashes, deliveries, replayed = counts
        return Portion(lowest_runs(alike, limit), True, failures, crashes, deliveries, replayed)

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
        return Portion(lowest_runs(alike, limit), deliveries=deliveries)

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
            self._known.discard(offset)

    @property
    def _policy_parks(self) -> bool:
        return self._ledger.terms.policy.key_failure == "park"

    @property
    def _has_room(self) -> bool:
        """Whether more records may get a slot."""
        return len(self._admitted) + len(self._aside) < self._ledger.terms.policy.look_ahead

    def _has_room_behind(self, lane: Lane) -> bool:
        """Whether a lane may park more with their keys: so that others may, too."""
        return len(lane.parked) < self._ledger.terms.policy.look_ahead - self._parked

    def _is_open(self, lane: Lane) -> bool:
        """Whether a slot is free, and nothing with a known key waits for it."""
        return not lane.parked and lane.slots < self._ledger.terms.policy.key_concurrency

    def _enter(self, offset: int, *, first: bool = False) -> None:
        """A record wants a slot of its key; ``first``: before those that are parked."""
        key = self._keys[offset]
        if key is None:
            self._admit(offset)
            return
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key)
        self._keys[offset] = lane.key  # of many alike, one is kept
        if first:
            lane.parked.appendleft(offset)
        else:
            lane.parked.append(offset)
        self._parked += 1
        self._advance(lane)

    def _advance(self, lane: Lane) -> None:
        """Give free slots away."""
        while lane.parked and lane.slots < self._ledger.terms.policy.key_concurrency:
            lane.slots += 1
            self._parked -= 1
            self._admit(lane.parked.popleft())
        if lane.has_beyond:
            if self._is_open(lane):
                self._hungry[lane.key] = None
        elif not lane.slots and not lane.parked and self._lanes.get(lane.key) is lane:
            del self._lanes[lane.key]

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
            self._advance(lane)

    def forget_below(self, offset: int) -> None:
        """Records are gone; those behind them may go."""
        gone = below(self._known, offset)
        for known in gone:  # of all of them, before one of them gives its slot to another
            key = self._keys[known]
            if key is not None and known not in self._admitted and known not in self._aside:
                self._lanes[key].parked.remove(known)
                self._parked -= 1
        self._beyond.forget_below(offset, self._lanes.values())
        if self.damage and self._asked is not None and self._asked < offset:
            self._asked, self._sought, self.damage = None, None, ""
        for heap in (self._due, self._fresh, self._back):
            while heap and heap[0] < offset:
                heappop(heap)
        for known in gone:
            self._deliveries.pop(known, None)
            self.settled(known, known + 1)

    def settings_changed(self) -> None:
        """A key may have more slots now."""
        for lane in list(self._lanes.values()):
            self._advance(lane)

    def wanted(self) -> Effects:
        """Keys, if there is little to hand out, or a lane to fill, and room for more."""
        if self._asked is not None:
            return []
        while self._unread:
            offset = self._unread.popleft()
            if offset in self._ledger.troubles and offset not in self._keys:
                return self._ask(offset, offset + 1)
        if not self._has_room:
            return []
        self._wishes.rotate()
        return self._wishes[0]() or self._wishes[1]()

    def _ask_next(self) -> Effects:
        """Keys of records that were not looked at."""
        is_enough = len(self._fresh) >= _READ_RECORDS or len(self._hungry) >= _READ_RECORDS
        if is_enough or self._beyond.is_full:
            return []
        ledger = self._ledger
        before, upto = self._cursor, ledger.partition.durable_offset
        self._cursor = ledger.settled.free_from(self.cursor, upto)
        if self._note_revived(before):
            return self.wanted()
        end = min(upto, self._cursor + _READ_RECORDS)
        return self._ask(self._cursor, end) if self._cursor < end else []

    def _note_revived(self, before: int) -> bool:
        """Dead records that live again lie among settled ones, which the cursor has passed over:
        those that are ready are read on their own, as the others will be when they are."""
        troubles, noted = self._ledger.troubles, len(self._unread)
        for offset in self._ledger.revived.iter_equal_or_larger(before):
            if offset >= self._cursor:
                break
            trouble = troubles.get(offset)
            if trouble and trouble.place is Place.READY and offset not in self._keys:
                self._unread.append(offset)
        return len(self._unread) > noted

    def _ask_parked(self) -> Effects:
        """Keys of records among which the next one of a lane may be."""
        while self._hungry:
            key = next(iter(self._hungry))
            del self._hungry[key]
            lane = self._lanes.get(key)
            if lane is None or not self._is_open(lane):
                continue
            first = self._beyond.next_of(lane)
            if first is None:
                self._advance(lane)
                continue
            self._sought = lane
            return self._ask(first, min(first + _READ_RECORDS, self._cursor))
        return []

    def _ask(self, first: int, upto: int) -> Effects:
        self._asked = first
        return [ReadKeys(self._ledger.partition.log, self._ledger.group, first, upto)]

    def keys_read(self, first: int, keys: Sequence[bytes | None]) -> None:
        """Let the records enter their lanes."""
        if self._asked != first:
            return
        self._asked = None
        if self._sought is not None:
            sought, self._sought = self._sought, None
            self._bring_back(sought, first, keys)
            return
        read = self._look_at(first, keys)
        if first >= self._cursor:
            self._cursor = max(self._cursor, first + read)

    def keys_unread(self, first: int, reason: str) -> None:
        """Nothing more is asked for, unless what is damaged goes."""
        if self._asked == first:
            self.damage = reason

    def _look_at(self, first: int, keys: Sequence[bytes | None]) -> int:
        """Let records enter for the first time; how many of them there is room for."""
        for offset, key in enumerate(keys, first):
            if offset in self._keys or not self._ledger.is_unsettled(offset):
                continue
            if offset in self._ledger.troubles:
                self._know_troubled(offset, key)
            elif not self._know(offset, key):
                return offset - first
        return len(keys)

    def _know_troubled(self, offset: int, key: bytes | None) -> None:
        self._keys[offset] = key
        self._known.add(offset)
        if self._policy_parks and self._ledger.troubles[offset].place is not Place.READY:
            self._aside.add(offset)
            return
        lane = self._lanes.get(key) if key is not None else None
        is_last = offset >= self._cursor and (lane is None or not lane.has_beyond)
        self._enter(offset, first=not is_last)

    def _know(self, offset: int, key: bytes | None) -> bool:
        """Admit a record, or park it; whether there is room."""
        lane = self._lanes.get(key) if key is not None else None
        if lane is not None and (lane.has_beyond or not self._is_open(lane)):
            if lane.has_beyond or not self._has_room_behind(lane):
                if self._beyond.is_full:
                    return False
                self._beyond.park(lane, offset)
                return True
        elif not self._has_room:
            return False
        self._keys[offset] = key
        self._known.add(offset)
        self._enter(offset)
        return True

    def _bring_back(self, sought: Lane, first: int, keys: Sequence[bytes | None]) -> None:
        """Of what was parked beyond, let the next ones of their lanes enter."""
        stopped: set[bytes] = set()
        for offset, key in enumerate(keys, first):
            lane = self._lanes.get(key) if key is not None else sought
            if lane is None or lane.key in stopped:
                continue
            if not self._beyond.is_next(lane, offset, first):
                continue
            if not (self._has_room if self._is_open(lane) else self._has_room_behind(lane)):
                stopped.add(lane.key)
                lane.beyond_first = offset
                continue
            self._beyond.take(lane, offset)
            self._keys[offset] = key  # None: it is not in the log any more; its lease finds that
            self._known.add(offset)
            self._enter(offset)
        if sought.has_beyond and sought.key not in stopped:
            sought.beyond_first = max(sought.beyond_first, first + len(keys))
        self._advance(sought)

    def obstacle(self) -> tuple[str, str] | None:
        """Too many records out or behind others; or just some keys that block theirs."""
        if self._due or self._back or self._fresh:
            return None
        where = f"Partition {self._ledger.partition.number}"
        blocked = [lane for lane in self._lanes.values() if lane.waiting]
        is_more = self._hungry or self.cursor < self._ledger.partition.durable_offset
        if is_more and (not self._has_room or self._beyond.is_full):
            out, parked = len(self._admitted) + len(self._aside), self._parked + self._beyond.count
            return "look_ahead_full", (
                f"{where}: {counted(out, 'record')} {agreeing(out, 'is', 'are')} leased or "
                f"{agreeing(out, 'waits', 'wait')} for a retry, and {parked:,} "
                f"{agreeing(parked, 'is', 'are')} parked behind {counted(len(blocked), 'key')}; "
                f"nothing from offset {self.cursor} on is looked at before some are settled."
            )
        if not blocked:
            return None
        lane = max(blocked, key=lambda lane: lane.waiting)
        first = lane.parked[0] if lane.parked else lane.beyond_first
        return "blocked_by_key", (
            f"{where}: {counted(len(blocked), 'key')} {agreeing(len(blocked), 'blocks', 'block')} "
            f"records behind, most of all {lane.key!r}: {lane.waiting:,} "
            f"{agreeing(lane.waiting, 'waits', 'wait')} behind it, from offset {first} on."
        )

    def remarks(self) -> list[str]:
        """What is parked beyond the look-ahead."""
        parked = self._beyond.count
        if not parked:
            return []
        lanes = [lane for lane in self._lanes.values() if lane.beyond]
        most = nlargest(_NAMED_KEYS, lanes, key=lambda lane: lane.beyond)
        named = ", ".join(f"{lane.key!r} ({lane.beyond})" for lane in most)
        text = (
            f"Partition {self._ledger.partition.number}: {counted(parked, 'record')} "
            f"{agreeing(parked, 'is', 'are')} parked beyond the look-ahead of "
            f"{self._ledger.terms.policy.look_ahead}, as ranges of offsets, behind "
            f"{counted(len(lanes), 'key')}, most of all {named}; keys are read again in their turn."
        )
        return [text]
