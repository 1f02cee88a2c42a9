"""The life of one consumer: it handles messages this way and that, and kills itself at a point.

The points: ``buffered`` (messages have come, none is being handled), ``taken`` (at once when a
handler has got one), ``started`` (the broker knows of it), ``worked``, ``said`` (acked, and the
ack is on the wire), ``turn`` (acked in this very turn of the event loop), ``confirmed``.
"""

import asyncio
import os
import random
import signal
from collections.abc import Iterable
from typing import Final, NamedTuple

import tapemq
from tapemq.queues.lease import Lease
from tests.support.crash.queue.journal import Journal
from tests.support.crash.queue.rules import REJECTED

TOPIC: Final = "jobs"
GROUP: Final = "workers"
MAX_ATTEMPTS: Final = 4
POISON: Final = b"poison"
"""Who handles it dies."""

POINTS: Final = ("buffered", "taken", "started", "worked", "said", "turn", "confirmed")

_TURN_S: Final = 0.003
"""By then the SDK has said what it gathers for a millisecond at most."""

# What becomes of messages: verb, whether it waits for the answer, and how often.
_WAYS: Final = (
    (("ack", True), 55),
    (("ack", False), 20),
    (("nack", True), 9),
    (("nack", False), 6),
    (("release", True), 6),
    (("release", False), 2),
    (("reject", True), 2),
)


class Doom(NamedTuple):
    """At which point the process ends, after how many messages."""

    point: str
    after: int


class Consumer:
    """Draws all it does from ``seed``. Without ``doom`` only poison ends it, or SIGTERM."""

    def __init__(self, life: int, seed: str, journal: Journal, doom: Doom | None) -> None:
        self._life = life
        self._pick = random.Random(seed)
        self._journal = journal
        self._doom = doom
        self._serial = 0
        self._queue: tapemq.Queue
        self._stopping = False
        self._handled: set[tuple[int, int]] = set()

    async def live(self, url: str) -> None:
        """Handle messages, until the end."""
        concurrency, prefetch = self._pick.randint(1, 4), self._pick.choice([5, 16, 50])
        async with (
            await tapemq.connect(url, connect_timeout=60) as client,
            client.queue(
                TOPIC, group=GROUP, prefetch=prefetch, max_attempts=MAX_ATTEMPTS, retry=[0.02]
            ) as queue,
        ):
            self._queue = queue
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
            await self._die_if_due("buffered", 0)
            await asyncio.gather(*(self._work() for _ in range(concurrency)))

    def _stop(self) -> None:
        self._stopping = True
        self._queue.stop()

    async def _work(self) -> None:
        async for message in self._queue:
            self._serial += 1
            token = message._lease.lease_id, message.offset
            self._handled.add(token)
            await self._handle(message, self._serial)
            self._handled.discard(token)
            await self._die_if_due("buffered", self._serial)

    async def _handle(self, message: tapemq.Message, serial: int) -> None:
        write, life = self._journal.write, self._life
        lease = message._lease
        counts = (message.failures, message.crashes, int(lease.redelivered))
        write(life, serial, "taken", message.partition, message.offset, lease.lease_id, *counts)
        await self._die_if_due("taken", serial)
        if self._pick.random() < 0.9 or self._is_due("started", serial):
            await asyncio.sleep(_TURN_S)
            write(life, serial, "told")
        if message.value == POISON:
            self._die("poison", serial)
        await self._die_if_due("started", serial)
        await asyncio.sleep(self._pick.choice([0, 0, 0.001]))  # the work
        await self._die_if_due("worked", serial)
        await self._settle(message, serial)

    async def _settle(self, message: tapemq.Message, serial: int) -> None:
        (verb, confirm), *_ = self._pick.choices(*zip(*_WAYS, strict=True))
        if any(self._is_due(point, serial) for point in ("said", "turn", "confirmed")):
            verb, confirm = "ack", self._is_due("confirmed", serial)
            await self._hold_more_than(1)
        self._journal.write(self._life, serial, "said", verb)
        try:
            await _say(message, verb, confirm)
        except (tapemq.LeaseLost, tapemq.IndeterminateError):
            return  # the broker was killed; whether it counts is not known
        if confirm:
            self._journal.write(self._life, serial, "confirmed")
        await self._die_if_due("turn", serial)
        if self._is_due("said", serial):
            await asyncio.sleep(_TURN_S)
        await self._die_if_due("said", serial)
        await self._die_if_due("confirmed", serial)

    def _is_due(self, point: str, serial: int) -> bool:
        doom = self._doom
        return doom is not None and doom.point == point and serial >= doom.after

    async def _die_if_due(self, point: str, serial: int) -> None:
        if not self._is_due(point, serial):
            return
        if point in ("buffered", "said", "confirmed"):
            await self._hold_more_than(0)
        if not self._stopping:
            self._die(point, serial)

    async def _hold_more_than(self, messages: int) -> None:
        """Wait, so that the kill ends leases."""
        while self._held() <= messages and not self._stopping:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    def _die(self, point: str, serial: int) -> None:
        handled = self._handled
        announced = [
            f"{lease.partition}:{offset}:{lease.lease_id}:{lease.failures}:{lease.crashes}"
            for lease in self._leases()
            for offset in lease.held
            if self._is_begun(lease, offset) and (lease.lease_id, offset) not in handled
        ]
        details = (point, self._held(), len(handled), *announced)
        self._journal.write(self._life, serial, "killed", *details)
        os.kill(os.getpid(), signal.SIGKILL)

    def _is_begun(self, lease: Lease, offset: int) -> bool:
        """Whether the SDK has told the broker that its handler begins, or is about to."""
        hand = self._queue._intake._hand
        is_at_hand = hand is not None and hand.lease is lease and offset < hand.next_offset
        return is_at_hand or offset < lease.upto

    def _held(self) -> int:
        return sum(len(lease.held) for lease in self._leases())

    def _leases(self) -> Iterable[Lease]:
        return self._queue._intake.leases


async def _say(message: tapemq.Message, verb: str, confirm: bool) -> None:
    if verb == "ack":
        await message.ack(confirm=confirm)
    elif verb == "nack":
        await message.nack(delay=0.01 if confirm else None, reason="failed", confirm=confirm)
    elif verb == "release":
        await message.release(confirm=confirm)
    else:
        await message.reject(reason=REJECTED, confirm=confirm)
