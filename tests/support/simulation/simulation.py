"""One run from a seed: a broker, its clients, what goes wrong, and the verdict."""

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from traceback import format_exception
from typing import Any, Final
from unittest.mock import patch

from tapemq.batch import Columns
from tapemq.publishing.open_batch import OpenBatch
from tapemq_broker.config import Settings
from tapemq_broker.core import broker as core_broker
from tapemq_broker.core import inspection
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue import dead_letters, ledger
from tapemq_broker.core.topic import Topic
from tapemq_broker.server import logs, reading_turns
from tapemq_broker.server.disk_turns import DiskTurns
from tapemq_broker.storage import last_values, state_log
from tests.support.simulation.checker import RULES, STUCK, check, report, verdict
from tests.support.simulation.damage_trials import DamageTrials
from tests.support.simulation.finale import Finale
from tests.support.simulation.history import History, LogName
from tests.support.simulation.lasting_index import LastingIndex
from tests.support.simulation.leftovers import QUIET_S, look
from tests.support.simulation.loop import ROUND_S, START_S, SimLoop, SimulationError
from tests.support.simulation.machine import Death, Machine
from tests.support.simulation.mischief import Mischief
from tests.support.simulation.network import SimNetwork
from tests.support.simulation.protocol_rules import listening
from tests.support.simulation.scene import Scene
from tests.support.simulation.sim_disk import Trouble
from tests.support.simulation.weather import draw_weather
from tests.support.simulation.workload import Workload

_LONGEST_S: Final = 3600.0
_LARGE_CHANCE: Final = 0.02
_ROT_CHANCE: Final = 0.15
_ROUNDS_S: Final = (ROUND_S, ROUND_S, 500e-6, 3e-3)
"""A processor that is busy takes longer for what a loop does in one round."""


@dataclass
class Run:
    """What came of a seed."""

    seed: int
    history: History = field(default_factory=History)
    broken: dict[str, list[str]] = field(default_factory=dict)
    failure: str = ""
    crashes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)
    virtual_s: float = 0.0
    steps: int = 0

    @property
    def complaint(self) -> str:
        """What is wrong, in words; empty if nothing is."""
        return "\n".join(filter(None, (self.failure, verdict(self.broken))))


class Simulation:
    """Builds the world of a seed and runs it. ``break_it`` may spoil the disk on purpose;
    with ``rot``, some reads return wrong bits (None: the seed decides);
    with ``logs``, what broker and SDK log is not suppressed."""

    def __init__(
        self,
        seed: int,
        *,
        break_it: Callable[[Trouble], None] = lambda trouble: None,
        rot: bool | None = None,
        logs: bool = False,
    ) -> None:
        self._logs = logs
        self.run = Run(seed)
        self._random = Random(f"tapemq/{seed}")
        self.loop = SimLoop(self._part("loop"), round_s=self._part("pace").choice(_ROUNDS_S))
        self.loop.network = SimNetwork(self.loop, self._part("network"))
        weather = draw_weather(self._part("weather"))
        self.loop.network.weather = weather
        down = self._part("down")
        self.machine = Machine(
            self.loop,
            self._part("machine"),
            draw_settings(self._part("settings")),
            self.run.history,
            lambda: down.choice((0.01, 0.01, 0.1, 0.5, 2.0)) * down.random(),
        )
        self.machine.schedule_index = LastingIndex(self._part("index")).open
        self._trials = DamageTrials(self.machine, self._part("damage"))
        self.machine.at_rest = self._trials.maybe
        break_it(self.machine.trouble)
        if rot is None:
            rot = self._part("rot").random() < _ROT_CHANCE
        self.run.history.rot = rot
        self.machine.trouble.read_wait_chance = self._part("reads").choice((0.0, 0.1, 0.9))
        cache = self._part("page cache")
        self.machine.trouble.forgets = cache.random() < 0.6
        self.machine.trouble.evict_chance = cache.choice((0.0, 0.0, 0.02, 0.2))
        self._scene = Scene(self.loop, self._part("apps"), self.machine, self.run.history, rot)
        self._scene.limits = self._part("limits")
        self._scene.large = self._part("size").random() < _LARGE_CHANCE
        mischief = self._part("mischief")
        self._mischief = Mischief(self.loop, mischief, self.machine, crashes=2, rot=rot)

    def _part(self, name: str) -> Random:
        """Randomness of one part's own, so that a change in one does not change the others."""
        return Random(f"{self.run.seed}/{name}")

    def play(self) -> Run:
        """Run to the end and check the history."""
        # Garbage is collected at the end, so that what its finalizers do cannot differ in time.
        _freeze_once()
        gc.disable()
        level = logging.root.manager.disable
        logging.disable(logging.NOTSET if self._logs else logging.CRITICAL)
        try:
            with (
                self._small_numbers(),
                self._frames_noted(),
                self._drops_noted(),
                listening(self.run.history),
            ):
                self._within_an_hour(self._main())
        except SimulationError as error:
            self.run.failure = str(error)
        except TimeoutError:
            self.run.failure = f"not over after {_LONGEST_S:.0f} virtual seconds"
        finally:
            self._clean_up()
            gc.enable()
            logging.disable(level)
        self._note()
        return self.run

    @contextmanager
    def _small_numbers(self) -> Iterator[None]:
        """Let states be restated after a few changes, in several parts, dead records be changed in
        several steps, and producers take turns at being read and at the disk: production waits for
        megabytes, which no short run ever writes, and does a thousand at once."""
        random = self._part("snapshots")
        changes_bytes, part_bytes = random.choice((500, 3000, 1 << 20)), random.choice((1, 1000))
        at_once = self._part("steps").choice((1, 2, 1000))
        turns = self._part("turns")
        round_bytes, light_bytes = turns.choice((1, 1, 300, 1 << 22)), turns.choice((1, 1 << 18))
        turn_bytes = self._part("reading").choice((1, 1000, 1 << 24))
        with (
            patch.object(reading_turns, "_TURN_BYTES", turn_bytes),
            patch.object(logs, "DiskTurns", lambda _, when_idle: DiskTurns(round_bytes, when_idle)),
            patch.object(inspection, "LIGHT_DATA_BYTES", light_bytes),
            patch.object(dead_letters, "_AT_ONCE", at_once),
            patch.object(dead_letters, "PAGE_RECORDS", at_once),
            patch.object(ledger, "_FORGET_AT_ONCE", at_once),
            patch.object(state_log, "SNAPSHOT_BYTES_MIN", changes_bytes),
            patch.object(last_values, "PART_BYTES", part_bytes),
        ):
            yield

    @contextmanager
    def _frames_noted(self) -> Iterator[None]:
        """Note what producers put into each frame: the SDK tells nobody."""
        frames, close = self.run.history.frames, OpenBatch.seal

        def seal(batch: OpenBatch) -> Columns:
            columns = close(batch)
            if len(columns.values) > 1:
                frames.append(frozenset(value for value in columns.values if value))
            return columns

        with patch.object(OpenBatch, "seal", seal):
            yield

    @contextmanager
    def _drops_noted(self) -> Iterator[None]:
        """Note how far logs were dropped that have a limit in bytes: see History.dropped_upto."""
        history, droppable = self.run.history, vars(core_broker)["droppable"]

        def noted(topic: Topic, partition: Partition) -> int:
            log = LogName(topic.info.name, partition.number)
            upto: int = droppable(topic, partition)
            if log.topic in history.dropping and history.dropping[log.topic].size_bytes:
                history.dropped_upto[log] = max(upto, history.dropped_upto.get(log, 0))
            return upto

        with patch.object(core_broker, "droppable", noted):
            yield

    def _within_an_hour(self, main: Coroutine[Any, Any, None]) -> None:
        async def limited() -> None:
            async with asyncio.timeout(_LONGEST_S):
                await main

        self.loop.run_until_complete(limited())

    async def _main(self) -> None:
        machine = self.machine
        broker = self.loop.create_task(machine.run())
        broker.add_done_callback(self._machine_stopped)
        await machine.ready()
        workload = Workload(self._scene)
        await workload.prepare()
        mischief = self.loop.create_task(self._mischief.run())
        await workload.run(mischief)
        finale = Finale(self._scene, workload)
        await finale.run()
        await asyncio.sleep(QUIET_S)
        if machine.server is not None:
            self.run.history.leftovers += look(machine.server)
        await machine.stop()
        broker.cancel()

    def _machine_stopped(self, running: asyncio.Task[None]) -> None:
        if not running.cancelled() and (error := running.exception()) is not None:
            self.loop.failures.append("".join(format_exception(error)))

    def _clean_up(self) -> None:
        gc.collect()  # finds exceptions that nobody has looked at
        if self.loop.failures and not self.run.failure:
            self.run.failure = self.loop.failures[0]
        self.loop.close()
        # The finally blocks of the dead run now, and must not find another loop.
        asyncio._set_running_loop(self.loop)
        for process in (*self.machine.processes, *(app.process for app in self._scene.apps)):
            process.exit("the end")
            process.bury()
        asyncio._set_running_loop(None)

    def _note(self) -> None:
        run, machine = self.run, self.machine
        run.crashes = machine.deaths.total() - machine.deaths[Death.STOP]
        run.faults = self._mischief.counts + Counter(machine.trouble.counts)
        run.faults += self._trials.kinds + machine.platter.lost
        run.faults["reorder"] = self.loop.reordered
        run.faults["retry_duplicate"] = machine.duplicates
        run.rows = machine.rows + self._trials.rows
        run.errors = self._scene.errors
        run.counts = report(run.history)
        run.counts["rewritten_bytes"] = machine.rewritten_bytes
        run.virtual_s = self.loop.time() - START_S
        run.steps = self.loop.steps
        run.history.set_back = [
            datetime.fromtimestamp(0, UTC) + timedelta(microseconds=shown_us)
            for shown_us in machine.clock.set_back_us
        ]
        run.history.jumps = machine.clock.jumps
        # A run that broke off may still show that nothing got done.
        run.broken = check(run.history, *(STUCK if run.failure else RULES))


@cache
def _freeze_once() -> None:
    """Keep what other tests have left behind out of every collection."""
    gc.collect()
    gc.freeze()


def draw_settings(random: Random) -> Settings:
    """Small segments and short times, so that everything happens in a short run."""
    return Settings(
        segment_bytes=random.choice((4096, 16_384, 65_536)),
        heartbeat_s=random.choice((1.0, 3.0)),
        revoke_deadline_s=random.choice((0.2, 2.0)),
        publish_window_bytes=random.choice((2048, 65_536)),
        mark_idle_s=random.choice((0.01, 0.1)),
        outbound_high_bytes=random.choice((4096, 262_144)),
        outbound_low_bytes=1024,
        retention_check_s=0.2,
    )
