"""Scheduling records of one topic."""

import asyncio
from collections import deque
from functools import partial
from typing import Final, NamedTuple

from tapemq import errors
from tapemq._clock import Clock
from tapemq.errors import Error, PartitionNotFound, PayloadTooLarge
from tapemq.network.link import Link
from tapemq.publishing.item import Item, batch_bytes_max
from tapemq.schedules.courier import Courier, Stale
from tapemq.schedules.parcel import PARCEL_BYTES, Parcel
from tapemq.schedules.passage import Compass, Target, late
from tapemq.schedules.plan import Plan
from tapemq.schedules.receipt import ScheduleReceipt
from tapemq.schedules.wanted import Wanted
from tapemq.wire import messages as m
from tapemq.wire.partitions import check_partition

_IN_FLIGHT: Final = 2
"""So many parcels of a lane are under way; meanwhile the next ones fill."""

_LOOK_UP_S: Final = 60.0


class Lane:
    """Parcels that may have company, for a partition, with times or with delays."""

    def __init__(self) -> None:
        self.waiting: deque[Parcel] = deque()
        self.in_flight = 0
        self.is_due = False


class _Key(NamedTuple):
    target: Target
    is_delayed: bool


class Scheduler:
    """A client's way to schedule records of a topic; calls that run beside each other leave
    together."""

    def __init__(self, link: Link, clock: Clock, topic: str) -> None:
        self.topic: Final = topic
        self._link: Final = link
        self._courier: Final = Courier(link, clock)
        self._lanes: Final[dict[_Key, Lane]] = {}
        self._compass: Final = Compass(topic)
        self._unrouted: dict[Wanted, None] = {}
        self._looking_up: asyncio.Task[None] | None = None
        self._tasks: Final[set[asyncio.Task[None]]] = set()

    async def schedule(
        self, item: Item, partition: int | None, plan: Plan, timeout_s: float
    ) -> ScheduleReceipt:
        """Schedule a record. Cancelled or too late, it is withdrawn if it was not sent yet.

        Raises Error, TypeError.
        """
        wanted = Wanted(item, check_partition(partition), plan)
        timer = asyncio.get_running_loop().call_later(timeout_s, self._expire, wanted, timeout_s)
        try:
            self._put(wanted)
            return await wanted.future
        except asyncio.CancelledError:
            if wanted.future.cancelled():  # not if its time was over just before
                self._withdraw(wanted)
            raise
        finally:
            timer.cancel()

    def _expire(self, wanted: Wanted, timeout_s: float) -> None:
        if wanted.future.done():
            return
        wanted.fail(late(self.topic, wanted.is_sent, timeout_s, self._link.hindrance()))
        self._withdraw(wanted)

    def _withdraw(self, wanted: Wanted) -> None:
        self._unrouted.pop(wanted, None)
        wanted.withdraw()

    # The topic

    def _put(self, *some: Wanted) -> None:
        if self._compass.route is not None:
            for wanted in some:
                self._place(wanted)
            return
        self._unrouted.update(dict.fromkeys(some))
        if self._looking_up is None:
            self._looking_up = asyncio.create_task(self._look_up())

    async def _look_up(self) -> None:
        request = m.DescribeTopic(self.topic, create=True)
        failure: Error | None = None
        while self._compass.route is None and failure is None:
            try:
                self._compass.route = await self._link.call(request, _LOOK_UP_S)
            except errors.TimeoutError:
                continue  # each record has a deadline of its own
            except Error as error:
                failure = error
        self._looking_up = None
        unrouted, self._unrouted = self._unrouted, {}
        for wanted in unrouted:
            if failure is not None:
                wanted.fail(failure)
            elif not wanted.future.done():
                self._put(wanted)

    def _place(self, wanted: Wanted) -> None:
        try:
            target = self._compass.target(wanted.item, wanted.partition)
        except PartitionNotFound as error:
            wanted.fail(error)
            return
        if not wanted.plan.is_plain:
            parcel = Parcel(self.topic, target)
            parcel.add(wanted)
            self._send(parcel, None)
            return
        key = _Key(target, not wanted.plan.due.due_us)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane()
        if not lane.waiting or not lane.waiting[-1].admits(wanted):
            lane.waiting.append(Parcel(self.topic, target, self._full_bytes()))
        lane.waiting[-1].add(wanted)
        if not lane.is_due and lane.in_flight < _IN_FLIGHT:
            lane.is_due = True
            asyncio.get_running_loop().call_soon(self._pump, lane)

    def _full_bytes(self) -> int:
        return min(PARCEL_BYTES, batch_bytes_max(self._link.limits))

    # Sending

    def _pump(self, lane: Lane) -> None:
        lane.is_due = False
        while lane.waiting and lane.in_flight < _IN_FLIGHT:
            parcel = lane.waiting.popleft()
            if not parcel.is_empty:
                lane.in_flight += 1
                self._send(parcel, lane)

    def _send(self, parcel: Parcel, lane: Lane | None) -> None:
        parcel.task = asyncio.create_task(self._take(parcel))
        self._tasks.add(parcel.task)
        parcel.task.add_done_callback(partial(self._ended, lane))

    async def _take(self, parcel: Parcel) -> None:
        try:
            await self._courier.take(parcel)
        except Stale:
            self._compass.route = None
            self._lanes.clear()  # what waits in them goes, and comes back
            self._put(*parcel.wanted)
        except PayloadTooLarge as error:
            if len(parcel.wanted) > 1 and parcel.full_bytes > self._full_bytes():
                self._put(*parcel.wanted)  # they were gathered when the broker took more
            else:
                parcel.fail(error)
        except Exception as error:
            parcel.fail(error)

    def _ended(self, lane: Lane | None, task: "asyncio.Task[None]") -> None:
        """Not at the end of the task's own code: of one that was cancelled at once none runs."""
        self._tasks.discard(task)
        if lane is not None:
            lane.in_flight -= 1
            self._pump(lane)
