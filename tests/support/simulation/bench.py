"""A broker on virtual time and a simulated disk, driven step by step: no clients, no network.

Commands go to the core as a connection would give them, answers are kept. The process may die in
any call of the disk; what a test does with a dead broker is void.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any, Final

from tapemq.batch import LogId, Role, checksum
from tapemq_broker.config import Settings
from tapemq_broker.core.effects import Effects, Request
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Result
from tapemq_broker.core.topic import Topic
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.server import Server
from tapemq_broker.server.world import World
from tapemq_broker.storage.schedules.index import ScheduleIndex
from tapemq_broker.storage.schedules.memory_index import MemoryScheduleIndex
from tests.support.bodies import body
from tests.support.simulation.clocks import BrokerClock, BrokerRandom
from tests.support.simulation.loop import SimLoop
from tests.support.simulation.machine import HOST, PORT
from tests.support.simulation.network import SimNetwork
from tests.support.simulation.platter import Platter
from tests.support.simulation.process import Process, ProcessExit
from tests.support.simulation.sim_disk import SimDisk, Trouble


class Bench:
    """``server`` is None where no broker serves. ``ended`` says how the last one came to its end,
    ``failure`` what its start or its stop raised."""

    def __init__(self, random: Random, settings: Settings | None = None) -> None:
        self.random: Final = random
        self.loop: Final = SimLoop(random)
        self.loop.network = SimNetwork(self.loop, random)
        self.platter: Final = Platter(self.loop, random)
        self.trouble: Final = Trouble()
        self.clock: Final = BrokerClock(self.loop)
        self.index: Callable[[], ScheduleIndex] = MemoryScheduleIndex
        self.settings: Final = settings or Settings()
        self.server: Server | None = None
        self.ended = ""
        self.failure: Exception | None = None
        self.answers: dict[Request, Result | Refusal] = {}
        self._process: Process | None = None
        self._processes: list[Process] = []
        self._correlation = 0

    # Life and death

    def boot(self) -> bool:
        """Start a broker; whether it serves."""
        process = self._process = Process(f"broker-{len(self._processes)}")
        self._processes.append(process)
        self.ended, self.failure = "", None
        disk = SimDisk(self.loop, self.platter, process, self.trouble, lambda: self.die("crash"))
        world = World(disk, self.clock, BrokerRandom(self.random), self._fatal, self.index)
        server = Server(self.settings, world)
        self._run(server.start(HOST, PORT))
        if process.alive and server.ready:
            self.server = server
            server._engine.reply = self._answered  # type: ignore[method-assign]
        elif process.alive:
            self.die("failed")
        return self.server is not None

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Until it is done, or the process is."""
        process = self._process
        assert process is not None
        over = asyncio.Event()
        process.at_exit(over.set)
        end = self.loop.create_task(over.wait())
        task = self.loop.create_task(work, context=process.context)
        self.loop.run_until_complete(asyncio.wait([task, end], return_when=asyncio.FIRST_COMPLETED))
        end.cancel()
        if task.done() and not isinstance(task.exception(), ProcessExit):
            error = task.exception()
            assert error is None or isinstance(error, Exception), error
            self.failure = error

    def die(self, how: str, *, power: bool | None = None) -> None:
        """End the process. ``power``: it is cut; None: as chance has it."""
        process, self._process = self._process, None
        if process is None:
            return
        self.server = None
        self.ended = how
        self.trouble.crash_in_steps = 0
        self.loop.network.process_died(process)
        process.exit(how)
        if self.random.random() < 0.5 if power is None else power:
            self.platter.power_cut()

    def _fatal(self, reason: str) -> None:
        self.die(f"fatal: {reason}")
        raise ProcessExit

    def stop(self) -> bool:
        """Stop the broker; whether it came to the end of that."""
        server = self.server
        if server is None:
            return False
        self.failure = None
        self._run(server.stop())
        is_stopped = server.stopped and self._process is not None
        self.die("stopped" if is_stopped else self.ended or "failed", power=False)
        return is_stopped

    def live(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def close(self) -> None:
        """The end of the test."""
        self.die("the end", power=False)
        self.loop.close()
        asyncio._set_running_loop(self.loop)
        for process in self._processes:
            process.bury()
        asyncio._set_running_loop(None)

    # Commands

    @property
    def engine(self) -> Engine:
        assert self.server is not None
        return self.server._engine

    def topic(self, name: str) -> Topic | None:
        """A topic, if there is one."""
        return next(
            (t for t in self.engine.core.topics.by_id.values() if t.info.name == name), None
        )

    def ask(self, command: Callable[[Request], Effects]) -> Request:
        """Carry a command out; its answer will be in ``answers``."""
        self._correlation += 1
        request = Request(0, self._correlation)
        engine = self.engine
        self.within(lambda: engine.execute(request, lambda: command(request)))
        return request

    def within(self, call: Callable[[], object]) -> None:
        """Call in the broker's process."""
        process = self._process

        async def in_loop() -> None:
            if process is not None and process.alive:
                with suppress(ProcessExit):
                    process.context.run(call)

        self.loop.run_until_complete(in_loop())

    def _answered(self, request: Request, result: Result | Refusal) -> None:
        self.answers[request] = result

    def create(self, name: str, partitions: int, topic_id: int) -> Request:
        """Make a topic."""
        topics = self.engine.core.topics
        return self.ask(
            lambda request: topics.create(request, name, partitions, {}, topic_id=topic_id)
        )

    def delete(self, name: str) -> Request:
        """Delete a topic."""
        core = self.engine.core
        return self.ask(lambda request: core.delete_topic(request, name))

    def publish(self, topic_id: int, partition: int, value: bytes) -> Request:
        """Publish a record."""
        core, data = self.engine.core, body(value)
        return self.ask(
            lambda request: core.publish(
                request,
                topic_id,
                partition,
                data,
                body_checksum=checksum(data),
                durable=True,
                now_us=self.clock.wall_us(),
            )
        )


def data_log(topic_id: int, partition: int) -> LogId:
    """The log of a partition's records."""
    return LogId(topic_id, partition, Role.DATA)
