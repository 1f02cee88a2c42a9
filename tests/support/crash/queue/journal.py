"""What consumers did, written down before they go on: what is written survives their SIGKILL."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from tapemq_broker.core.queue.leases import LEASES_PER_BOOT

Place = tuple[int, int]
"""Partition and offset."""

_CUT = "cut"


class Journal:
    """A file to which several processes append lines; one write each, so none is torn."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, life: int, serial: int, event: str, *details: object) -> None:
        """One line. ``serial``: which of the life's messages, 0 for none."""
        line = " ".join(map(str, (life, serial, event, *details)))
        os.write(self._file, line.encode() + b"\n")

    def cut(self) -> None:
        """The power goes: what the running broker confirms from here on proves nothing."""
        os.write(self._file, f"0 0 {_CUT}\n".encode())

    def close(self) -> None:
        os.close(self._file)


@dataclass
class Delivery:
    """A message that the SDK gave to a handler, and what came of it there.

    ``told``: the broker was, before the consumer could end. ``confirmed``: the verb was answered.
    """

    life: int
    place: Place
    lease_id: int
    failures: int
    crashes: int
    told: bool
    verb: str = ""
    confirmed: bool = False

    @property
    def counts(self) -> tuple[int, int]:
        """Failures and crashes that came with it."""
        return self.failures, self.crashes

    @property
    def boot_epoch(self) -> int:
        """Which start of the broker has leased it."""
        return self.lease_id // LEASES_PER_BOOT


@dataclass
class Kill:
    """A consumer's end: at which point, and how many messages it held then.

    ``started``: handed out. ``announced``: about to be, in this very turn of the event loop; the
    broker may know of these, because of redeliveries it has to know before.
    """

    point: str
    held: int
    started: int
    announced: int = 0


@dataclass
class History:
    """All that was written. ``deliveries`` of each place are in the order of their leases."""

    deliveries: dict[Place, list[Delivery]] = field(default_factory=dict)
    kills: dict[int, Kill] = field(default_factory=dict)
    """By the life that each ended."""

    def add(self, delivery: Delivery) -> None:
        """A message was handed out."""
        self.deliveries.setdefault(delivery.place, []).append(delivery)

    @property
    def total(self) -> int:
        """How many deliveries."""
        return sum(map(len, self.deliveries.values()))


def read(path: Path) -> History:
    """Read it all."""
    reader = _Reader()
    for line in path.read_text().splitlines():
        life, serial, event, *details = line.split()
        reader.take(int(life), int(serial), event, details)
    for deliveries in reader.history.deliveries.values():
        # Leases are numbered for ever. Lines are not in order: what was leased by a broker that
        # is dead by now may be handed out later than what its successor has leased.
        deliveries.sort(key=lambda delivery: delivery.lease_id)
    return reader.history


class _Reader:
    def __init__(self) -> None:
        self.history = History()
        self._open: dict[tuple[int, int], Delivery] = {}
        self._latest_epoch = 0
        self._cut_epoch = 0

    def take(self, life: int, serial: int, event: str, details: list[str]) -> None:
        if event == _CUT:
            self._cut_epoch = self._latest_epoch
        elif event == "killed":
            self._killed(life, *details)
        elif event == "taken":
            self._taken(life, serial, [int(detail) for detail in details])
        elif event == "told":
            self._open[life, serial].told = True
        elif event == "said":
            (self._open[life, serial].verb,) = details
        elif event == "confirmed":
            delivery = self._open[life, serial]
            delivery.confirmed = delivery.boot_epoch > self._cut_epoch

    def _killed(self, life: int, point: str, held: str, started: str, *announced: str) -> None:
        self.history.kills[life] = Kill(point, int(held), int(started), len(announced))
        for token in announced:
            self.history.add(_delivery(life, [*map(int, token.split(":")), 0]))

    def _taken(self, life: int, serial: int, details: list[int]) -> None:
        delivery = _delivery(life, details)
        self._open[life, serial] = delivery
        self._latest_epoch = max(self._latest_epoch, delivery.boot_epoch)
        self.history.add(delivery)


def _delivery(life: int, details: list[int]) -> Delivery:
    partition, offset, lease_id, failures, crashes, told = details
    return Delivery(life, (partition, offset), lease_id, failures, crashes, bool(told))
