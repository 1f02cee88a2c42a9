"""Some of the starts of a run are tried on damaged copies of the disk, too."""

from collections import Counter
from random import Random
from typing import Final

from tests.support.disk_image import take_image
from tests.support.simulation.at_rest import complaints, start
from tests.support.simulation.damage import DAMAGES
from tests.support.simulation.machine import Machine

_CHANCE: Final = 0.1


class DamageTrials:
    """maybe() is called while no broker runs."""

    def __init__(self, machine: Machine, random: Random) -> None:
        self.kinds: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self._machine = machine
        self._random = random

    def maybe(self) -> None:
        """Copy the disk, at times, and damage the copy."""
        if self._random.random() < _CHANCE:
            self._try()

    def _try(self) -> None:
        machine, random = self._machine, self._random
        image, now_us = take_image(machine.platter), machine.clock.wall_us()
        damaged = random.choice(DAMAGES)(random, image)
        if damaged is None:
            return
        truth = start(image, machine.settings, now_us)
        found = start(damaged.image, machine.settings, now_us, damaged.unreadable)
        self.kinds[damaged.kind] += 1
        self.rows.update(found.rows)
        machine.loop.failures.extend(complaints(truth, damaged, found))
