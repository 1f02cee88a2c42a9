"""The broker of a test: start, stop, crash, faults."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tapemq.client import Client
from tapemq.connecting import connect
from tapemq.errors import Error
from tapemq.testing.clock import Clock
from tapemq.testing.relay import HOST, Relay
from tapemq.wire import messages as m

_NEVER_S: Final = 1e9
_GRACE_S: Final = 2.0


class BrokerDied(Error):
    """The broker would have ended its process; the text says why."""

    code = "broker_died"


class Broker:
    """A real broker: ``async with tapemq.testing.Broker() as broker``.

    ``url``: where clients connect, also while it is down; ``clock``: its clock.

    Args:
        data_dir: a directory that keeps its data; by default they are in memory, and gone with
            the object.
        settings: the broker's, by name, as in ``docs/operations.md``: ``retention_age_s=60.0``.
    """

    def __init__(self, data_dir: Path | str | None = None, **settings: Any) -> None:
        self.clock = Clock(self._catch_up)
        self._data_dir = None if data_dir is None else Path(data_dir)
        # A clock that jumps must not look like silence.
        self._settings = {"heartbeat_s": _NEVER_S, "write_stall_s": _NEVER_S} | settings
        self._relay = Relay()
        self._memory: Any = None
        self._world: Any = None
        self._server: Any = None
        self._puppet: Any = None
        self._is_up = False
        self._crash_at_sync: asyncio.Future[None] | None = None
        self._crashing: asyncio.Task[None] | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._is_back = asyncio.Event()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"tapemq://{HOST}:{self._relay.port}"

    async def connect(self, **options: Any) -> Client:
        """A client: ``async with await broker.connect() as client``. Options as of
        ``tapemq.connect()``."""
        return await connect(self.url, **options)

    # Start and end

    async def start(self) -> None:
        """Start on the data that there are. Raises what a broker does that cannot start,
        RuntimeError if it runs."""
        self._check_stopped()
        from tapemq_broker.config import Settings
        from tapemq_broker.server.puppet import Puppet
        from tapemq_broker.server.server import Server

        if not self._relay.is_open:
            await self._relay.open()
        self._world = self._make_world()
        self._server = Server(Settings(**self._settings), self._world)
        await self._server.start(HOST, 0)
        self._puppet = Puppet(self._server)
        self._relay.upstream_port = self._server.port
        self._is_up = True
        self._is_back.set()

    def _check_stopped(self) -> None:
        if self._is_up:
            raise RuntimeError("the broker runs already")

    def _make_world(self) -> Any:
        from tapemq_broker.server.clock import RealRandom
        from tapemq_broker.server.world import World
        from tapemq_broker.storage.memory_disk import MemoryDisk

        if self._data_dir is not None:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            return World.real(self._data_dir)._replace(clock=self.clock, fatal=_fatal)
        if self._memory is None:
            self._memory = MemoryDisk(post=self._sync)
        return World(self._memory, self.clock, RealRandom(), _fatal)

    async def stop(self) -> None:
        """Stop cleanly: everything is on disk, and the clients are told."""
        if self._crash_at_sync is not None and self._is_up:
            await self.crash()  # stopping syncs
        self._relay.upstream_port = None
        if self._is_up:
            self._is_up = False
            await self._server.stop(_GRACE_S)

    async def restart(self) -> None:
        """Stop cleanly, and start again. Clients connect anew by themselves."""
        await self.stop()
        await self.start()

    async def crash(self) -> None:
        """Lose the power, and start again: what was not synced is gone, nobody was told.

        On a directory, it is as if the process were killed: what was written stays. Raises
        RuntimeError if it was never started.
        """
        self._check_started()
        back, self._crash_at_sync = self._crash_at_sync, None
        await self._lose_power()
        _set(back)

    async def _lose_power(self) -> None:
        self._relay.upstream_port = None
        self._is_up = False
        self._is_back.clear()
        if self._catching_up is not None:
            self._catching_up.cancel()
        self._puppet.die()
        self._relay.cut()
        if self._memory is not None:
            self._memory.power_cut()
        else:
            self._world.disk.close()
        await self._puppet.let_go()
        await self.start()

    async def __aenter__(self) -> Self:
        self._check_stopped()
        try:
            await self.start()
        except BaseException:
            await self._relay.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._crashing is not None:
            await asyncio.wait([self._crashing])
        self._crash_at_sync = None  # stopping syncs, too, and would wait for it for ever
        self._relay.cut()
        await self.stop()
        await self._relay.close()

    def _check_started(self) -> None:
        if self._puppet is None:
            raise RuntimeError("the broker was not started: use it with `async with`")

    async def _catch_up(self) -> None:
        self._check_started()
        while True:
            work = self._catching_up = asyncio.create_task(self._puppet.catch_up())
            try:
                await asyncio.wait([work])
            finally:
                work.cancel()
            if not work.cancelled():
                return work.result()
            await self._is_back.wait()  # it has crashed: what is due is the next one's to do

    # Faults

    def crash_before_sync(self) -> asyncio.Future[None]:
        """Crash when the next thing is to be synced, before it is. The future is done when the
        broker is back. Raises ValueError on a directory: its files cannot be unwritten."""
        if self._memory is None:
            raise ValueError("only a broker in memory can lose what was written and not synced")
        if self._crash_at_sync is None:
            self._crash_at_sync = asyncio.get_running_loop().create_future()
        return self._crash_at_sync

    def _sync(self, done: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        back, self._crash_at_sync = self._crash_at_sync, None
        if back is None:
            loop.call_soon(done)
        else:
            self._crashing = loop.create_task(self._crash_now(back))

    async def _crash_now(self, back: asyncio.Future[None]) -> None:
        await self._lose_power()
        _set(back)

    def lose_receipt(self) -> None:
        """The next receipt is lost with its connection: the record is in the log, and the client
        does not know."""
        self._relay.lose(m.Receipt)

    def lose_ack(self) -> None:
        """The next settlement of a queue's messages is lost with its connection before the broker
        gets it: they are delivered once more."""
        self._relay.lose(m.Settle)

    def lose_commit(self) -> None:
        """The next commit of a stream is lost with its connection before the broker gets it."""
        self._relay.lose(m.Commit)

    def cut_connections(self) -> None:
        """Break all connections; clients connect anew by themselves."""
        self._relay.cut()


def _set(back: asyncio.Future[None] | None) -> None:
    if back is not None and not back.done():
        back.set_result(None)


def _fatal(reason: str) -> None:
    raise BrokerDied(reason)
