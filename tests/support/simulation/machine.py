"""The computer that the broker runs on: it boots, dies in many ways, and boots again."""

import asyncio
import errno
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import Enum
from random import Random
from traceback import format_exception
from typing import Any, Final

from tapemq_broker.config import Settings
from tapemq_broker.server.server import Server
from tapemq_broker.server.world import World
from tapemq_broker.storage.errors import DataDirectoryError
from tapemq_broker.storage.schedules.index import ScheduleIndex
from tapemq_broker.storage.schedules.memory_index import MemoryScheduleIndex
from tests.support.simulation.clocks import BrokerClock, BrokerRandom
from tests.support.simulation.history import History
from tests.support.simulation.loop import SimLoop
from tests.support.simulation.platter import Platter
from tests.support.simulation.process import Process, ProcessExit
from tests.support.simulation.sim_disk import SimDisk, Trouble
from tests.support.simulation.transport import SimTransport

HOST: Final = "127.0.0.1"
PORT: Final = 7077


class Death(Enum):
    """How a broker's process ends."""

    KILL = "kill"
    POWER_CUT = "power cut"
    FATAL = "fatal"
    STOP = "clean stop"


_DISK_FAILED: Final = (
    *("a sync failed", "storage failed: [Errno 5]", "the logs of topic", "the schedule log of"),
)
"""How a broker tells that it ends itself for that; for anything else it has a defect."""


class Machine:
    """Runs a broker, and boots it again ``down_s()`` virtual seconds after it died."""

    def __init__(
        self,
        loop: SimLoop,
        random: Random,
        settings: Settings,
        history: History,
        down_s: Callable[[], float],
    ) -> None:
        self.loop = loop
        self.random = random
        self.settings = settings
        self.trouble = Trouble()
        self.clock = BrokerClock(loop)
        self.schedule_index: Callable[[], ScheduleIndex] = MemoryScheduleIndex
        self.platter = Platter(loop, random)
        self.deaths: Counter[Death] = Counter()
        self.rows: Counter[str] = Counter()
        self.rewritten_bytes = 0
        self.fatal_reasons: list[str] = []
        self.crash_kind = Death.KILL
        self.server: Server | None = None
        self.process: Process | None = None
        self.processes: list[Process] = []
        self.duplicates = 0
        self.at_rest: Callable[[], None] = lambda: None
        """Called when a broker is gone and the next one has not been started."""
        self._history = history
        self._down_s = down_s
        self._up_since_s = 0.0
        self._ready = asyncio.Event()
        self._died = asyncio.Event()
        self._cut_off: list[SimTransport] = []

    @property
    def is_up(self) -> bool:
        """The broker serves."""
        return self.server is not None and self.server.ready

    async def ready(self) -> None:
        """Wait until the broker serves."""
        await self._ready.wait()

    async def dies_within(self, timeout_s: float) -> bool:
        """Wait for the next end of a broker's process; False if there is none in time."""
        self._died.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._died.wait()
        return self._died.is_set()  # it may have ended when the time was over already

    async def run(self) -> None:
        """Boot, and boot again, for ever."""
        while True:
            await self._boot()
            self.at_rest()
            await asyncio.sleep(self._down_s())

    async def _boot(self) -> None:
        """Start a broker and wait for its end."""
        process = Process(f"broker-{len(self.processes)}")
        self.processes.append(process)
        self.process = process
        gone = asyncio.Event()
        process.at_exit(lambda: self._gone(gone))
        self._power_is_back()
        self._spawn(process, self._start(process))
        await gone.wait()

    def _spawn(self, process: Process, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the broker's process; its failure is the simulation's."""
        task = self.loop.create_task(work, context=process.context)
        task.add_done_callback(self._finished, context=self.loop.network.context)

    def _finished(self, task: asyncio.Task[None]) -> None:
        error = task.exception()
        if error is not None and not isinstance(error, ProcessExit):
            where = "".join(format_exception(error))
            self.loop.failures.append(f"the broker failed: {error!r}\n{where}")

    async def _start(self, process: Process) -> None:
        disk = SimDisk(self.loop, self.platter, process, self.trouble, self._crash)
        random = BrokerRandom(self.random)
        world = World(disk, self.clock, random, self._fatal, self.schedule_index)
        server = self.server = Server(self.settings, world)
        try:
            await server.start(HOST, PORT)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._fatal(f"storage failed: {error}")
        except DataDirectoryError:
            if not self.trouble.full:
                raise
            self.die(Death.KILL)  # as it says; whoever looks after it tries again
            raise ProcessExit from None
        self._check_whole(server)
        self._count_rows(server)
        self._up_since_s = self.loop.time()
        self._ready.set()

    def _check_whole(self, server: Server) -> None:
        """No partition may be refused: nothing here damages what is on the disk."""
        topics = server._engine.core.topics.by_id.values()
        for damage in [part.damage for topic in topics for part in topic.partitions if part.damage]:
            raise AssertionError(f"a partition was refused at the start: {damage}")

    def _count_rows(self, server: Server) -> None:
        """Note by which row of the recovery table each log was opened, and what that wrote."""
        logs = [log for _, log in server._logs.data_logs()]
        logs += [state.log for state in server._logs._states.values()]
        self.rows.update(log.recovered.row.name for log in logs)
        self.rewritten_bytes += sum(log.recovered.rewritten_bytes for log in logs)

    def _gone(self, gone: asyncio.Event) -> None:
        if self._ready.is_set():
            self._history.up.append((self._up_since_s, self.loop.time()))
        self._ready.clear()
        if self.server is not None:
            self.duplicates += self.server._counters.duplicates
        self.server = None
        self._died.set()
        gone.set()

    def _fatal(self, reason: str) -> None:
        self.fatal_reasons.append(reason)
        if not reason.startswith(_DISK_FAILED):
            self._history.collapses.append(reason)
        self.die(Death.FATAL)
        raise ProcessExit

    def _crash(self) -> None:
        self.die(self.crash_kind)

    def die(self, death: Death) -> None:
        """End the broker's process, if there is one."""
        process, network = self.process, self.loop.network
        if process is None or not process.alive:
            return
        self.deaths[death] += 1
        if death is Death.POWER_CUT or (death is Death.FATAL and self.trouble.forgets):
            self._history.losses.append(self.loop.time())
        self.trouble.crash_in_steps = 0
        self.trouble.flips = 0
        if death is Death.POWER_CUT:
            self._lose_power(process)
        else:
            network.process_died(process)
        process.exit(death.value)
        if death is Death.POWER_CUT:
            self.platter.power_cut()

    def _lose_power(self, process: Process) -> None:
        """Peers hear nothing. Once it is back, the machine resets (most of) what they send."""
        self.loop.network.reachable = False
        peers = self.loop.network.power_failed(process)
        self._cut_off += [peer for peer in peers if self.random.random() < 0.7]

    def _power_is_back(self) -> None:
        network = self.loop.network
        network.reachable = True
        for peer in self._cut_off:
            error = ConnectionResetError(104, "Connection reset by peer")
            delay_s = self.random.random() * 3
            self.loop.call_io(delay_s, peer, peer.break_off, error, context=network.context)
        self._cut_off.clear()

    async def stop(self) -> None:
        """Stop the broker cleanly, if it serves, and end its process."""
        server, process = self.server, self.process
        if server is None or process is None or not server.ready:
            return
        stopped = asyncio.Event()
        process.at_exit(stopped.set)

        async def drain() -> None:
            await server.stop()
            self.die(Death.STOP)

        self._spawn(process, drain())
        await stopped.wait()
