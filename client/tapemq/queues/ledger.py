"""What became of a queue's messages, and what is to be said of it to the broker.

The shells settle messages here and are told what came too late. Without I/O of its own: it sends
on whichever connection there is, and is called back by ``timers``. Both shells build on it.
"""

import logging
import math
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from tapemq.errors import ConnectionLost, Error, Overloaded
from tapemq.network.exchange import Exchange
from tapemq.queues.confirmation import Confirmation, Done, Waiter, lease_lost
from tapemq.queues.intake import QueueIntake
from tapemq.queues.lease import Lease
from tapemq.queues.leases import RENEWALS_PER_LEASE
from tapemq.queues.settles import Settlement, chunks
from tapemq.queues.verdict import ACK, Verdict
from tapemq.wire import messages as m
from tapemq.wire.entries import Tokens, unpack_tokens

log = logging.getLogger("tapemq.client")

GATHER_S: Final = 0.001
"""So long after the last time things are gathered before they are said again: a handler that waits
for something takes a turn of the loop for each message, and two frames would cost more than it."""

DRAIN_S: Final = 10.0
"""How long handlers may take to end when a queue is left."""

_AGAIN_S: Final = 0.1
"""The least time before what an overloaded broker has refused is said again."""


class _Frame(NamedTuple):
    """What is sent of a settlement at a time."""

    request: m.Settle
    payload: bytes
    confirmation: Confirmation


class Timers(Protocol):
    """What calls back in time; an asyncio event loop is one."""

    def time(self) -> float:
        """Monotonic seconds."""

    def call_soon(self, callback: Callable[..., object]) -> Any:
        """Call when what runs now is done."""

    def call_later(self, delay_s: float, callback: Callable[..., object]) -> Any:
        """Call after a while. Returns what can be cancelled."""


class Road(Protocol):
    """The way to the broker; a link is one."""

    @property
    def connection(self) -> Exchange | None:
        """What to send on, if there is a connection."""


class Ledger(ABC):
    """Says what was settled, begun and granted; keeps leases alive; counts what came too late.

    ``on_lease`` is told of how long leases hold. ``processing``: how many messages are in a
    ``process()`` block now.
    """

    def __init__(
        self,
        road: Road,
        timers: Timers,
        intake: QueueIntake,
        name: str,
        on_lease: Callable[[float], None],
    ) -> None:
        self.lost = 0
        self.processing = 0
        self.scheduled = False
        self.stopping = False
        self._road = road
        self._timers = timers
        self._intake = intake
        self._settles = intake.settles
        self._name = name
        self._on_lease = on_lease
        self._waiters: defaultdict[Verdict, list[Waiter]] = defaultdict(list)
        self._unanswered = 0
        # What an overloaded broker has refused, and until when it is not said again, nor more.
        self._refused: deque[tuple[_Frame, Overloaded]] = deque()
        self._resting: Any = None
        self._said_at = 0.0
        self._flushing: Any = None
        self._renewal: Any = None
        self._renewed_for_s = math.inf
        intake.desk = self

    @abstractmethod
    def _progressed(self) -> None:
        """A process() block has ended, or a settlement was answered."""

    # What handlers do

    def settle(self, verdict: Verdict, lease: Lease, offset: int) -> None:
        """Settle a message, without waiting for it to be on disk."""
        try:
            lease.held.remove(offset)
        except KeyError:
            self._too_late(1)
            return
        if verdict is ACK:  # all but always: every call less counts
            self._settles.acks[lease].append(offset)
        else:
            self._settles.add(verdict, lease, offset)
        if not self.scheduled:
            self.schedule()

    def finish(self, verdict: Verdict, lease: Lease, offset: int) -> None:
        """A process() block ends: settle the message, unless that was done in the block."""
        self.processing -= 1
        if self.stopping:
            self._progressed()
        if offset not in lease.held:
            if offset in lease.lost:
                self._too_late(1)
        elif verdict is ACK:  # as settle() does, without the call
            lease.held.remove(offset)
            self._settles.acks[lease].append(offset)
            if not self.scheduled:
                self.schedule()
        else:
            self.settle(verdict, lease, offset)

    def settle_all(self, verdict: Verdict, lease: Lease, offsets: range) -> None:
        """Settle those of a batch that were not settled one by one."""
        taken = lease.take_all(offsets)
        if late := len(lease.lost.intersection(offsets)):
            self._too_late(late)
        self._settles.add_all(verdict, lease, taken)
        self.schedule()

    def _settle_for(self, verdict: Verdict, lease: Lease, offsets: range, done: Done) -> bool:
        """Settle, and tell ``done`` what comes of it. False: all was settled before.

        Raises LeaseLost.
        """
        taken, lost = lease.take_all(offsets), lease.lost.intersection(offsets)
        self._settles.add_all(verdict, lease, taken)
        if lost or not taken:
            self.schedule()
            if lost or len(offsets) == 1:
                raise lease_lost(min(lost, default=offsets.start))
            return False
        self._waiters[verdict].append(Waiter(lease.lease_id, offsets.start, offsets.stop, done))
        self._hurry()
        return True

    # What the broker says

    def leased(self, message: m.Leased, payload: memoryview) -> None:
        """Messages have come."""
        ttl_s = message.lease_ms / 1000
        self._intake.leased(message, payload, self._timers.time())
        if self.stopping:
            self._intake.stop()  # kept until the end: given back now, it would come again
        if ttl_s < self._renewed_for_s:
            self._renew_later(ttl_s)
            self._on_lease(ttl_s)

    def lose(self, tokens: Iterable[Tokens], reason: str) -> None:
        """Leases were taken back."""
        if lost := self._intake.lose(tokens):
            log.warning("%s: lost the leases of %d messages: %s", self._name, lost, reason)
            self.schedule()

    def cut_off(self) -> None:
        """The subscription is gone."""
        unsaid = self._intake.cut_off()
        waiters, self._waiters = self._waiters, defaultdict(list)
        for waiter in (waiter for some in waiters.values() for waiter in some):
            waiter.done(lease_lost(waiter.first_offset))
        self._stop_resting()
        while self._refused:
            self._end(*self._refused.popleft())
        if unsaid:
            self._too_late(unsaid)
        self._stop_renewing()

    def _too_late(self, messages: int) -> None:
        self.lost += messages
        log.warning(
            "%s: %d messages were settled too late: their leases were lost, and they come again,"
            " or they had been settled before",
            self._name,
            messages,
        )

    # What is said to the broker

    def schedule(self) -> None:
        """Say all at the end of this turn, or of the gathering."""
        if self.scheduled:
            return
        self.scheduled = True
        wait_s = self._said_at + GATHER_S - self._timers.time()
        if wait_s > 0:
            self._flushing = self._timers.call_later(wait_s, self.flush)
        else:
            self._flushing = self._timers.call_soon(self.flush)

    def _hurry(self) -> None:
        """Say all at the end of this turn: somebody waits for the answer."""
        if self._flushing is not None:
            self._flushing.cancel()
        self.scheduled = True
        self._flushing = self._timers.call_soon(self.flush)

    def flush(self) -> None:
        """Say it now."""
        self.scheduled = False
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._said_at = self._timers.time()
        connection = self._connection()
        if connection is None:
            return  # what is to be said is void: cut_off() came, or comes
        try:
            if self._resting is None:
                for settlement in self._intake.take_settlements():
                    self._say(connection, settlement)
            for payload in chunks(self._intake.take_started()):
                connection.push(m.Started(self._intake.subscription), payload)
            self._grant(connection)
        except ConnectionLost:
            log.debug("%s: the connection was lost while settling", self._name)

    def _connection(self) -> Exchange | None:
        connection = self._road.connection
        return connection if connection is not None and connection.is_open else None

    def _say(self, connection: Exchange, settlement: Settlement) -> None:
        payloads = list(settlement.payloads())
        waiters = self._waiters.pop(settlement.verdict, [])
        confirmation = Confirmation(len(payloads), waiters)
        request = settlement.request(self._intake.subscription)
        for payload in payloads:
            self._unanswered += 1
            self._send(connection, _Frame(request, payload, confirmation))

    def _send(self, connection: Exchange, frame: _Frame) -> None:
        connection.send(frame.request, partial(self._answered, frame), frame.payload)

    def _answered(self, frame: _Frame, result: Any) -> None:
        is_subscribed = self._intake.is_subscribed(frame.request.subscription)
        if isinstance(result, Overloaded) and is_subscribed:
            self._refused.append((frame, result))
            self._rest(result)
        else:
            self._end(frame, result)

    def _end(self, frame: _Frame, result: Any) -> None:
        self._unanswered -= 1
        self._progressed()
        if isinstance(result, Error):
            level = logging.INFO if isinstance(result, ConnectionLost) else logging.WARNING
            log.log(level, "%s: settlements were not confirmed: %s", self._name, result)
        if lost := frame.confirmation.answered(result):
            self._too_late(lost)

    def _rest(self, error: Overloaded) -> None:
        """Nothing was changed, and the leases are held: what was refused is said again later, and
        what comes meanwhile is gathered. Its credit is not granted before."""
        if self._resting is None:
            pause_s = max(error.retry_after, _AGAIN_S)
            log.warning("%s: settles again in %g s: %s", self._name, pause_s, error)
            self._resting = self._timers.call_later(pause_s, self._resume)

    def _stop_resting(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    def _resume(self) -> None:
        self._resting = None
        connection = self._connection()
        if connection is None:
            return  # cut_off() comes
        try:
            for _ in range(len(self._refused)):
                self._send(connection, self._refused[0][0])
                self._refused.popleft()
        except ConnectionLost:
            log.debug("%s: the connection was lost while settling", self._name)
        self.flush()

    def _grant(self, connection: Exchange) -> None:
        grants = self._intake.grants
        if not self.stopping:  # else what is given back would come again
            for grant in grants:
                connection.push(grant)
        grants.clear()

    # Time

    def _renew_later(self, ttl_s: float) -> None:
        self._stop_renewing()
        self._renewed_for_s = ttl_s
        self._renewal = self._timers.call_later(ttl_s / RENEWALS_PER_LEASE, self._renew)

    def _stop_renewing(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None
        self._renewed_for_s = math.inf

    def _renew(self) -> None:
        """Extend the leases that are held."""
        self._stop_renewing()
        leases, connection = self._intake.leases, self._connection()
        if not len(leases) or connection is None:
            return  # the next lease starts it again
        request = m.Extend(self._intake.subscription)  # each for as long as it was leased
        for payload in chunks(leases.due(self._timers.time())):
            connection.send(request, self._renewed, payload)
        self._renew_later(leases.shortest_s())

    def _renewed(self, result: Any) -> None:
        if isinstance(result, Error):
            log.warning("%s: leases were not extended: %s", self._name, result)
        elif result.message.lost:
            self.lose(unpack_tokens(result.payload), "they had run out")

    # The end

    def stop(self) -> None:
        """Take nothing more. If handlers are still at work, others get now what they have not."""
        self.stopping = True
        if self.processing:
            self._intake.withdraw()
            self.schedule()
        else:
            self._intake.stop()
