"""What goes wrong in a run, and when: drawn from the seed."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from math import inf
from random import Random
from typing import Final

from tests.support.simulation.loop import SimLoop
from tests.support.simulation.machine import Death, Machine

_CRASH_WAIT_S: Final = 1.0

Fault = Callable[[], Awaitable[None]]


class Mischief:
    """Plays faults one after another; at least ``crashes`` of them end the broker's process."""

    def __init__(
        self, loop: SimLoop, random: Random, machine: Machine, *, crashes: int, rot: bool
    ) -> None:
        self._loop = loop
        self._random = random
        self._machine = machine
        self._crashes = crashes
        self.counts: Counter[str] = Counter()
        self._fatal: tuple[Fault, ...] = (
            *(self.kill, self.cut_power, self.die_in_a_call, self.die_in_a_call),
            *(self.die_while_starting, self.fail_a_sync),
        )
        self._nuisances: tuple[Fault, ...] = (
            *(self.cut_connection, self.cut_connection, self.silence_connection),
            *(self.delay_connection, self.delay_connection, self.pause_process, self.stop),
            *(self.fill_disk, self.crowd_disk, self.slow_disk, self.jump_clock),
        )

        if rot:
            self._nuisances = (self.flip_bits, *self._nuisances)

    async def run(self) -> None:
        """Play all faults of this seed."""
        random = self._random
        plan = random.choices(self._fatal, k=self._crashes)
        if self._machine.trouble.forgets:
            plan[0] = self.fail_a_sync
        plan += random.choices(self._nuisances, k=random.randrange(1, 4))
        if self.flip_bits in self._nuisances:
            plan += [self.flip_bits] * 2
        random.shuffle(plan)
        for fault in plan:
            await asyncio.sleep(random.choice((0.02, 0.2, 0.6)) * random.random())
            await self._machine.ready()
            self.counts[fault.__name__] += 1
            await fault()

    async def kill(self) -> None:
        """The process is killed."""
        self._machine.die(Death.KILL)

    async def cut_power(self) -> None:
        """The machine loses power."""
        self._machine.die(Death.POWER_CUT)

    async def die_in_a_call(self) -> None:
        """The process ends inside a call of the disk."""
        await self._die_in(self._random.randrange(1, 60))

    async def _die_in(self, steps: int) -> None:
        machine = self._machine
        machine.crash_kind = self._random.choice((Death.KILL, Death.POWER_CUT))
        machine.trouble.crash_in_steps = steps
        if not await machine.dies_within(_CRASH_WAIT_S):
            machine.die(machine.crash_kind)

    async def die_while_starting(self) -> None:
        """The process ends, and the next one ends in its recovery."""
        await self._random.choice((self.kill, self.cut_power))()
        await self._die_in(self._random.randrange(1, 80))

    async def fail_a_sync(self) -> None:
        """A sync fails, and the broker must end itself. Starts after that may fail likewise."""
        machine, trouble = self._machine, self._machine.trouble
        errors = self._random.choice((1, 1, 2, 3)) if trouble.forgets else 1
        trouble.sync_errors = errors
        has_died = await machine.dies_within(_CRASH_WAIT_S)
        if not has_died and trouble.sync_errors < errors:  # a sync may have begun just now
            has_died = await machine.dies_within(_CRASH_WAIT_S)
        if has_died:
            await self._lose_what_was_forgotten()
            return
        if trouble.sync_errors < errors:
            self._loop.failures.append("a sync failed, and the broker goes on")
        trouble.sync_errors = 0
        machine.die(Death.KILL)

    async def _lose_what_was_forgotten(self) -> None:
        """The broker builds on what it finds in the page cache, and then the power fails."""
        if self._machine.trouble.forgets:
            await self._machine.ready()
            await asyncio.sleep(self._random.choice((0.0, 0.02, 1.0)) * self._random.random())
            await self._random.choice((self.cut_power, self.cut_power, self.kill))()

    async def stop(self) -> None:
        """The broker is stopped cleanly."""
        await self._machine.stop()

    async def cut_connection(self) -> None:
        """A connection breaks; the sides learn of it at different times."""
        ends = self._loop.network.transports
        if ends:
            times_s = (self._random.random() * 0.01, self._random.random() * 5)
            self._loop.network.cut(self._random.choice(ends), *times_s)

    async def silence_connection(self) -> None:
        """A connection goes silent; at most one side is told, late."""
        ends = self._loop.network.transports
        if ends:
            first_s = self._random.choice((inf, 1.0, 10.0))
            self._loop.network.cut(self._random.choice(ends), first_s, inf)

    async def delay_connection(self) -> None:
        """What is sent on a connection arrives much later, perhaps long after it was given up."""
        ends = self._loop.network.transports
        if ends:
            self._random.choice(ends).outgoing.hold(self._random.choice((0.5, 5.0, 30.0)))

    async def pause_process(self) -> None:
        """The broker or an application stands still for a while."""
        processes = [end.process for end in self._loop.network.transports if end.process]
        if processes:
            duration_s = self._random.choice((0.1, 2.0, 15.0)) * self._random.random()
            self._loop.pause(self._random.choice(processes), duration_s)

    async def fill_disk(self) -> None:
        """The disk is full for a while, at times but for what is small."""
        some = self._random.randrange(150, 600)
        self._machine.trouble.full = True
        self._machine.trouble.room_bytes = self._random.choice((0, some))
        await asyncio.sleep(self._random.random() * 2)
        self._machine.trouble.full = False

    async def crowd_disk(self) -> None:
        """So little is left for a while that publishing is blocked."""
        self._machine.trouble.low = True
        await asyncio.sleep(self._random.random() * 2)
        self._machine.trouble.low = False

    async def slow_disk(self) -> None:
        """Syncs take long for a while."""
        trouble = self._machine.trouble
        trouble.stall_chance, trouble.stall_s = 0.3, self._random.choice((0.05, 0.5, 4.0))
        await asyncio.sleep(self._random.random() * 2)
        trouble.stall_chance = 0.0

    async def flip_bits(self) -> None:
        """Some reads of a broker that serves return a wrong bit."""
        self._machine.trouble.flips = self._random.randrange(1, 4)

    async def jump_clock(self) -> None:
        """The wall clock jumps."""
        self._machine.clock.jump(self._random.choice((-3600.0, -1.0, 1.0, 3600.0)))
