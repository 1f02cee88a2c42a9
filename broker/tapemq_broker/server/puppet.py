"""Moves a server from outside, for who embeds one in a test: see ``tapemq.testing``."""

import asyncio
from typing import Final

from tapemq_broker.server.server import Server

_TURNS: Final = 10
"""So many turns of the event loop carry a message from a client of the same process to here, or
let a callback's callbacks run."""


class Puppet:
    """The strings of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def catch_up(self) -> None:
        """The clock was moved: do what is due by it, and wait until that is on disk."""
        server = self._server
        await _turns()
        server._timers.do_what_is_due()
        schedules = server._schedules
        if schedules.shelf.volumes:
            schedules.alarm.due_at(0)
            await _turns()
            await schedules.runner.run(lambda index: None)  # behind the look that it took
        await _turns()
        await server._logs.all_durable()
        await _turns()

    def die(self) -> None:
        """End as a killed process does: nobody is told, and nothing is written any more.

        The caller takes the disk away at once.
        """
        server = self._server
        server.ready = False
        server._sessions.on_closed = lambda number: None
        if server._listener is not None:
            server._listener.close()
        server._timers.stop()
        server._schedules.stop()
        server._flow.stop()
        server._engine.cancel_tasks()
        for connection in list(server._sessions.by_number.values()):
            connection.abort("it was killed")

    async def let_go(self) -> None:
        """Once it is dead: close what the end of a process would, before the next server opens the
        same file. Its disk is the caller's."""
        await self._server._schedules.close()


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
