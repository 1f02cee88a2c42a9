"""The broker as a whole: start, serve, stop."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from tapemq.wire import messages as m
from tapemq.wire.errors import SHUTTING_DOWN
from tapemq_broker.config import Settings
from tapemq_broker.core.broker import Broker
from tapemq_broker.core.topics import gone_topics, logs_of
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.flow import Flow
from tapemq_broker.server.handlers import Handlers
from tapemq_broker.server.identity import Identity
from tapemq_broker.server.logs import Logs
from tapemq_broker.server.recovery_progress import RecoveryProgress
from tapemq_broker.server.schedules.service import Schedules
from tapemq_broker.server.sessions import Sessions
from tapemq_broker.server.startup import CleanEntries, Startup, keep_notes
from tapemq_broker.server.status import Status
from tapemq_broker.server.timers import Timers
from tapemq_broker.server.world import World
from tapemq_broker.storage.clean import CleanEntry, look_at_clean, write_clean
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.errors import StorageError
from tapemq_broker.storage.refusal import is_full

log = logging.getLogger("tapemq.broker")

SOFTWARE: Final = "tapemq 0.1.0"
_BACKLOG: Final = 1024


class Server:
    """One broker on one data directory.

    ``start()`` recovers and listens, ``stop()`` drains. ``world`` has the seams to disk, clock and
    randomness; the network is the running event loop's.
    """

    def __init__(self, settings: Settings, world: World) -> None:
        self._settings = settings
        self._world = world
        self._counters = Counters()
        self._sessions = Sessions(settings, world.clock, self._counters)
        self._flow = Flow(settings, world.disk, self._sessions)
        self._listener: asyncio.Server | None = None
        self._engine: Engine
        self._logs: Logs
        self._timers: Timers
        self._schedules: Schedules
        self._identity: Identity
        self._claims: list[CleanEntry] = []
        self._progress = RecoveryProgress()
        self.recovering: RecoveryProgress | None = self._progress
        """None when start() is through: there is a status from then on."""
        self.ready = False
        self.stopped = False

    async def start(self, host: str, port: int) -> None:
        """Recover the data directory, then accept connections. Port 0 takes a free one.

        Raises DataDirectoryError, LogRefused (the catalog's), OSError. Recovery cannot be stopped:
        it goes on in its thread when this is cancelled, and only the end of the process ends it.
        """
        core = await self._recover()
        await self._logs.all_durable()
        self._sessions.handle = Handlers(
            self._engine, self._flow, self._identity, self._schedules
        ).handle
        self._timers = Timers(self._settings, self._engine, self._flow)
        self._timers.start()
        self._schedules.start()
        self._engine.spawn(self._engine.removals.finish())
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self._sessions), host, port, backlog=_BACKLOG
        )
        self.recovering = None
        self.ready = True
        log.info("serving %d topics, boot epoch %d", len(core.topics), self._identity.boot_epoch)

    async def _recover(self) -> Broker:
        """Read the data directory, in threads: that can take minutes, and who looks after the
        process wants answers meanwhile. Nothing else touches the engine until this is done.
        """
        startup, clean, core = await asyncio.to_thread(self._load)
        with self._kept_if_it_fails(clean):
            self._engine = Engine(self._world, core, self._logs, self._sessions)
            self._schedules = Schedules(self._engine, self._flow)
            schedules = await asyncio.to_thread(self._schedules.open_logs, clean)
        for opened in schedules:
            startup.note_opened(opened)
        self._claims = self._claims_of_refused(clean)
        # From here on logs change.
        await asyncio.to_thread(keep_notes, self._world.disk, self._claims)
        self._logs.sync_catalog()
        self._engine.run(core.loaded())
        return core

    def _load(self) -> tuple[Startup, CleanEntries, Broker]:
        world, settings = self._world, self._settings
        directory = DataDirectory.open(world.disk, world.random.bytes(16))
        clean = look_at_clean(world.disk)
        if clean.complaint:
            log.warning("%s", clean.complaint)
        self._logs = Logs(world, directory, settings)
        startup = Startup(
            world, settings, self._logs, clean.entries, self._counters, self._progress
        )
        with self._kept_if_it_fails(clean.entries):
            core, boot_epoch = startup.load()
        _complain(directory, core, gone_topics(self._logs.catalog()))
        self._identity = Identity(
            directory.broker_id, boot_epoch, SOFTWARE, world.clock.monotonic()
        )
        return startup, clean.entries, core

    @contextmanager
    def _kept_if_it_fails(self, clean: CleanEntries) -> Iterator[None]:
        """Where the start fails within the block, what was noted counts for the next one.

        Not of logs that were opened: they were as noted, and may not be so any more.
        """
        try:
            yield
        except (StorageError, OSError):
            unopened = [clean[at] for at in clean.keys() - self._logs.in_use()]
            with suppress(OSError):
                keep_notes(self._world.disk, unopened)
            raise

    def _claims_of_refused(self, clean: CleanEntries) -> list[CleanEntry]:
        """What a clean stop noted of logs that are refused now: without it, the next start might
        find nothing wrong with what is left of them.
        """
        made = self._logs.catalog()
        topics = [topic.info for topic in self._engine.core.topics.by_id.values()]
        known = {log_id for info in topics for log_id in logs_of(info, made)}
        known |= self._schedules.logs()  # the catalog may have forgotten some
        return [clean[at] for at in clean.keys() & (known - self._logs.in_use())]

    def _still_refused(self) -> list[CleanEntry]:
        """Without those of topics that were deleted, and of logs that were made again since."""
        topics, used = self._engine.core.topics.by_id, self._logs.in_use()
        return [
            claim
            for claim in self._claims
            if claim.log_id.topic_id in topics and claim.log_id not in used
        ]

    @property
    def port(self) -> int:
        """The port that connections come to."""
        if self._listener is None:
            raise RuntimeError("the server was not started")
        return int(self._listener.sockets[0].getsockname()[1])

    def status(self) -> Status:
        """How the broker is now, in plain numbers."""
        return Status.of(
            self._counters,
            self._engine,
            self._flow,
            self._schedules,
            self._timers,
            self.ready,
            self._identity,
        )

    async def stop(self, grace_s: float = 8.0) -> None:
        """Finish what was accepted, sync, note the clean stop.

        New connections and messages are refused from now on; receipts that wait for the disk still
        leave. What is not out after ``grace_s`` is cut.
        """
        self.ready = False
        self._sessions.draining = True
        if self._listener is not None:
            self._listener.close()
        self._timers.stop()
        self._schedules.stop()
        self._engine.removals.stop()
        self._flow.stop()
        try:
            async with asyncio.timeout(grace_s):
                await self._logs.all_durable()
                self._say_goodbye()
                await self._connections_gone()
                await self._engine.tasks_done()
        except TimeoutError:
            log.warning("stopping: %d connections are cut", len(self._sessions.by_number))
        for connection in list(self._sessions.by_number.values()):
            connection.abort("the broker stops")
        self._engine.cancel_tasks()
        # Marks in one round for all logs: closing would sync those of each alone.
        await self._logs.all_durable()
        self._logs.mark_all()
        await self._logs.all_durable()
        await self._schedules.close()
        self._engine.cancel_tasks()  # what connections that were cut held comes back in many turns
        refused = self._still_refused()
        _note_clean_stop(self._world.disk, [*self._logs.close(), *refused])
        self._world.disk.close()
        self.stopped = True

    def _say_goodbye(self) -> None:
        """Every receipt was sent before this, so a client knows what it has to send again."""
        goodbye = m.Failure(SHUTTING_DOWN.code, "the broker is stopping; connect again later", 500)
        for connection in list(self._sessions.by_number.values()):
            connection.send(goodbye)
            connection.close()

    async def _connections_gone(self) -> None:
        gone = self._sessions.when_none()
        await gone


def _note_clean_stop(disk: Disk, entries: list[CleanEntry]) -> None:
    try:
        write_clean(disk, entries)
    except OSError as error:
        if not is_full(error):
            raise
        log.warning("stopped; that cannot be noted, so the next start reads all logs: %s", error)
    else:
        log.info("stopped cleanly")


def _complain(directory: DataDirectory, core: Broker, gone: Iterable[tuple[str, int]]) -> None:
    """Say what lies in the data directory and should not."""
    for complaint in directory.complaints:
        log.warning("%s", complaint)
    topics = (topic.info for topic in core.topics.by_id.values())
    known = {directory.topic_path(info.name, info.topic_id) for info in topics}
    known |= {directory.topic_path(name, topic_id) for name, topic_id in gone}
    for path in directory.unknown_topics(known, core.topics.refused):
        log.warning(
            "%s: the catalog knows no such topic, so nobody can read it. It is left as it is: if "
            "the catalog is right, a topic was being created when the broker ended, and it can be "
            "removed by hand",
            path,
        )
    for info in [topic.info for topic in core.topics.by_id.values()]:
        try:
            behind = directory.partitions_behind(info.name, info.topic_id, info.partitions)
        except OSError as error:
            log.warning("topic %s: what lies in its directory cannot be seen: %s", info.name, error)
            continue
        for path in behind:
            log.warning(
                "%s: the catalog knows no such partition, so nobody can read it. It is left as it "
                "is: if the catalog is right, the topic was being altered when the broker ended; "
                "else have it made again with what is in it: tapemq topic alter %s --partitions N",
                path,
                info.name,
            )
