"""The ways of one producer into one topic: routes records to lanes and moves the lanes' batches.

The lanes decide, this sends; see ``tapemq.publishing.lane`` for the rules. Without I/O: both
shells build on it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from tapemq import errors
from tapemq._clock import Clock
from tapemq.errors import (
    ConnectionLost,
    Error,
    IndeterminateError,
    NotHere,
    Overloaded,
    PartitionNotFound,
    PayloadTooLarge,
)
from tapemq.network.exchange import Exchange
from tapemq.publishing.item import Item, batch_bytes_max
from tapemq.publishing.lane import Lane, LaneOptions, SentBatch
from tapemq.publishing.open_batch import OpenBatch, Waiter
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tapemq.wire.partitions import levels_of, partition_at, partition_of

_RETRY_S = 0.1
"""The least time before a batch that was refused for the broker's state is sent again."""

_LOST_PLACE = frozenset({wire.OUT_OF_ORDER.name, wire.UNKNOWN_PRODUCER.name})


class Timers(Protocol):
    """What calls back in time; an asyncio event loop is one."""

    def time(self) -> float:
        """Monotonic seconds."""

    def call_soon(self, callback: Callable[..., object], *args: Any) -> object:
        """Call when what runs now is done."""

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> Any:
        """Call at a time. Returns what can be cancelled."""


class Road(Protocol):
    """The way to the broker; a link is one."""

    @property
    def connection(self) -> Exchange | None:
        """What to send on, if there is a connection."""

    def hindrance(self) -> str:
        """Why publishing waits, to be put behind an error's text; "" if it need not."""

    def move(self, address: str) -> None:
        """Go to another broker."""


class Router(ABC):
    """One producer identity on one topic.

    After ``failure`` is set nothing more is taken: somebody else goes on with a new identity.
    """

    def __init__(
        self, road: Road, timers: Timers, clock: Clock, topic: str, options: LaneOptions
    ) -> None:
        self.topic = topic
        self.failure: Error | None = None
        self._road = road
        self._timers = timers
        self._clock = clock
        self._options = options
        self._route: m.Topic | None = None
        self._identity: m.Producer | None = None
        self._lanes: dict[int, Lane] = {}
        self._unkeyed: Lane | None = None
        self._levels = 1
        self._unkeyed_of: dict[int, Lane] = {}
        self._next_partition = 0
        self._scheduled: dict[Lane, None] = {}
        self._lingering: dict[Lane, Any] = {}
        self._is_rerouting = False
        self._refusal = ""

    # What a shell provides

    @abstractmethod
    def _route_again(self) -> None:
        """The topic was changed or re-created: look it up, then call rerouted() or fail()."""

    @abstractmethod
    def _progressed(self) -> None:
        """A batch was answered, or all has failed: wake whoever waits for that."""

    @abstractmethod
    def close(self) -> None:
        """Stop; whatever is unconfirmed is given up."""

    def link_up(self, connection: Exchange) -> None:
        """Send again what the old connection did not confirm, and what has gathered."""
        self._heed_limits(connection)
        for lane in self._lanes.values():
            self._pump(lane)

    def _heed_limits(self, connection: Exchange) -> None:
        most = batch_bytes_max(connection.limits)
        if most < self._options.batch_bytes:
            self._options = self._options._replace(batch_bytes=most)
            for lane in self._lanes.values():
                lane.change_options(self._options)

    def link_down(self, reason: Error) -> None:  # noqa: B027  (nobody has to override it)
        """Nothing to do: the connection has answered for all batches in flight."""

    # Taking records

    def add(
        self, item: Item, partition: int | None, level: int, waiter: Waiter | None = None
    ) -> Lane:
        """Put a record into its partition's open batch; it leaves by itself.

        Raises PartitionNotFound.
        """
        lane = self._lane_for(item, partition)
        lane.add(item, level, self._timers.time(), waiter)
        if lane.full:
            self._pump(lane)
        if lane.open is not None and len(lane.open.values) == 1:
            self._pump_later(lane, lane.open)
        return lane

    def _lane_for(self, item: Item, partition: int | None) -> Lane:
        assert self._route is not None
        if partition is not None:
            if not 0 <= partition < self._route.partitions:
                raise PartitionNotFound(
                    f"topic {self.topic!r} has no partition {partition}: it has "
                    f"{self._route.partitions}, counted from 0"
                )
            return self._lane(partition)
        if self._levels > 1:
            return self._lane_of_level(item, self._route.partitions // self._levels)
        if item.key is not None:
            return self._lane(partition_of(item.key, self._route.partitions))
        if self._unkeyed is None or self._unkeyed.open is None:
            self._unkeyed = self._lane(self._next_partition % self._route.partitions)
            self._next_partition += 1
        return self._unkeyed

    def _lane_of_level(self, item: Item, partitions: int) -> Lane:
        """Of a topic with priorities, which has so many partitions of each level."""
        levels, priority = self._levels, item.priority
        if item.key is not None:
            number = partition_of(item.key, partitions)
            return self._lane(partition_at(number, levels, priority))
        last = self._unkeyed_of.get(priority)
        if last is not None and last.open is not None:
            return last
        number = 0 if last is None else last.partition // levels + 1
        lane = self._lane(partition_at(number % partitions, levels, priority))
        self._unkeyed_of[priority] = lane
        return lane

    def _lane(self, partition: int) -> Lane:
        lane = self._lanes.get(partition)
        if lane is None:
            assert self._identity is not None
            lane = self._lanes[partition] = Lane(partition, *self._identity, self._options)
        return lane

    # Sending

    def _pump_later(self, lane: Lane, batch: OpenBatch) -> None:
        """When what runs now is done, so that what is published together goes together."""
        if self._options.linger_s:
            if lane not in self._lingering:
                self._linger(lane, batch)
            return
        if not self._scheduled:
            self._timers.call_soon(self._pump_scheduled)
        self._scheduled[lane] = None

    def _linger(self, lane: Lane, batch: OpenBatch) -> None:
        # One timer of a lane, that does not hold the batch: most are full long before it is due.
        timer = self._timers.call_at(batch.leaves_at, self._end_linger, lane, lane.closed)
        self._lingering[lane] = timer

    def _end_linger(self, lane: Lane, closed: int) -> None:
        self._lingering.pop(lane)
        batch = lane.open
        if batch is not None and lane.closed != closed:
            self._linger(lane, batch)  # a later one
        elif batch is not None:
            batch.leaves_at = 0.0  # a timer may be early
            self._pump(lane)

    def _pump_scheduled(self) -> None:
        lanes, self._scheduled = self._scheduled, {}
        for lane in lanes:
            self._pump(lane)

    def _take_turn(self, lane: Lane, connection: Exchange) -> None:
        connection.take_room(lane)
        self._pump(lane, has_turn=True)

    def _pump(self, lane: Lane, *, has_turn: bool = False) -> None:
        """Send what the connection has room for. ``has_turn``: one batch, whoever else waits."""
        connection = self._road.connection
        if connection is None or self._route is None or self._is_rerouting or self.failure:
            return
        while (size_bytes := lane.next_bytes(self._timers.time())) is not None:
            if not (connection.has_room if has_turn else connection.admits)(size_bytes):
                turn = partial(self._take_turn, lane, connection)
                connection.want_room(lane, size_bytes, turn)
                return
            has_turn = False
            sent = lane.take(self._clock.wall_us())
            most = connection.limits.batch_bytes_max
            if sent.size_bytes > most:  # the broker would end the session, each time anew
                text = (
                    f"a batch of {sent.size_bytes} bytes, made when the broker took as much; now "
                    f"its batch_bytes_max is {most}: raise that, or publish the records anew"
                )
                self._answered(lane, sent, PayloadTooLarge(text))
                return
            message = m.Publish(self._route.topic_id, lane.partition, sent.checksum, sent.level)
            connection.publish(message, sent.parts, partial(self._answered, lane, sent))
        connection.want_less_room(lane, None)

    def relieve(self, lane: Lane) -> None:
        """Records were taken out of it again: others may have the room that it wanted for them."""
        if self._road.connection is not None:
            size_bytes = lane.next_bytes(self._timers.time())
            self._road.connection.want_less_room(lane, size_bytes)

    def _give_up_turns(self) -> None:
        """Nothing is sent now, whatever there is."""
        if self._road.connection is not None:
            for lane in self._lanes.values():
                self._road.connection.want_less_room(lane, None)

    def _answered(self, lane: Lane, sent: SentBatch, answer: Any) -> None:
        if self.failure is not None:
            return
        if isinstance(answer, m.Receipt):
            self._refusal = ""
            lane.confirmed(sent, self._clock.wall_us())
            for offset, waiter in enumerate(sent.waiters, answer.base_offset):
                waiter.settle(lane.partition, offset, answer)
        else:
            self._refused(lane, sent, answer)
        self._pump(lane)
        self._progressed()

    def _refused(self, lane: Lane, sent: SentBatch, error: Error) -> None:
        now_us = self._clock.wall_us()
        first = sent is lane.unconfirmed[0]
        unknown = error.code == wire.UNKNOWN_PRODUCER.name
        final = not (error.retryable or unknown)
        if sent.uncertain and (final or (unknown and first)):
            self.fail(IndeterminateError(f"{self.topic}: {error}"))
        elif final:
            self.fail(error, sent)
        else:
            lane.refused(sent, now_us, uncertain=isinstance(error, ConnectionLost))
            if first and error.code in _LOST_PLACE:
                lane.lose_place(now_us)
            self._heed(lane, error)

    def _heed(self, lane: Lane, error: Error) -> None:
        """Do what a refusal asks for before the next attempt."""
        if isinstance(error, NotHere):
            self._road.move(error.address)
        elif error.code == wire.STALE_METADATA.name and not self._is_rerouting:
            self._is_rerouting = True
            self._give_up_turns()
            self._route_again()
        if not isinstance(error, ConnectionLost) and error.code not in _LOST_PLACE:
            self._refusal = f"; the broker says: {error}"
            wait_s = error.retry_after if isinstance(error, Overloaded) else 0.0
            lane.resume_at = self._timers.time() + max(wait_s, _RETRY_S)
            self._timers.call_at(lane.resume_at, self._resume, lane)

    def _resume(self, lane: Lane) -> None:
        lane.resume_at = 0.0  # a timer may be early
        self._pump(lane)

    def routed(self, identity: m.Producer, route: m.Topic) -> None:
        """Records can be added from now on."""
        self._identity = identity
        self._route = route
        self._levels = levels_of(route.settings)
        if self._road.connection is not None:  # maybe another one than when the options were made
            self._heed_limits(self._road.connection)

    def rerouted(self, route: m.Topic) -> None:
        """Go on with the topic as it is now."""
        old, self._route = self._route, route
        self._levels = levels_of(route.settings)
        self._unkeyed = None
        self._unkeyed_of.clear()
        self._is_rerouting = False
        for lane in self._lanes.values():
            if lane.partition >= route.partitions and not lane.idle:
                # Not moved: some of them may be for just this partition, and keys keep their order.
                self.fail(
                    PartitionNotFound(
                        f"topic {self.topic!r} was deleted and made anew with fewer partitions: it "
                        f"has {route.partitions}, and unconfirmed records are for {lane.partition}"
                    )
                )
                return
        for lane in self._lanes.values():
            if old is not None and old.topic_id != route.topic_id:
                lane.lose_place(self._clock.wall_us())
            self._pump(lane)

    # Waiting

    @property
    def idle(self) -> bool:
        """Everything is confirmed."""
        return all(lane.idle for lane in self._lanes.values())

    def hurry(self) -> Callable[[], bool]:
        """Let open batches leave now. Returns what tells whether all of them, and those before
        them, are confirmed, whatever is added meanwhile."""
        for lane in self._lanes.values():
            lane.close_open()
            self._pump(lane)
        marks = [(lane, lane.closed) for lane in self._lanes.values()]
        return lambda: all(lane.done >= mark for lane, mark in marks)

    def oldest_at(self) -> float | None:
        """When the oldest record that is not confirmed was added."""
        times = (lane.oldest_at for lane in self._lanes.values())
        return min((time for time in times if time is not None), default=None)

    def hindrance(self) -> str:
        """Why records wait, to be put behind an error's text; "" if it is not known."""
        return self._road.hindrance() or self._refusal

    def expired(self, reason: str) -> Error:
        """The error for records that waited too long: it depends on whether any may be there."""
        reason = f"{self.topic}: {reason}{self.hindrance()}"
        if any(lane.is_unknown for lane in self._lanes.values()):
            return IndeterminateError(f"{reason}; records may be in the log or not")
        return errors.TimeoutError(f"{reason}; none of these records is in the log")

    def fail(self, error: Error, refused: SentBatch | None = None) -> None:
        """Give up everything unconfirmed. ``refused``: the batch for which the broker said that.

        Whatever else was sent and not answered may be in the log, and is told so.
        """
        if self.failure is None:
            self.failure = error
            unknown = IndeterminateError(
                f"{self.topic}: {error}; the record may be in the log or not"
            )
            for lane in self._lanes.values():
                lane.fail(error, unknown, refused)
            self._give_up_turns()
            while self._lingering:
                self._lingering.popitem()[1].cancel()
            self.close()
            self._progressed()
