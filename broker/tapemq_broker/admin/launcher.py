"""Starts the HTTP side beside a broker, without holding it up."""

import asyncio
import logging
import socket
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final

from tapemq_broker.admin.readiness import Reading

if TYPE_CHECKING:
    from tapemq_broker.admin.http_server import HttpServer

_log = logging.getLogger("tapemq.admin")

_SERVICE: Final = "tapemq_broker.admin.service"


class Launcher:
    """The HTTP side of a broker: comes up in the background, and goes down with it."""

    def __init__(self, read: Callable[[], Reading], listener: socket.socket) -> None:
        self._read = read
        self._listener = listener
        self._http: HttpServer | None = None
        self._task: asyncio.Task[None] | None = None
        self.draining = False
        """Set it when the broker is told to stop: it is not ready from then on."""

    def start(self) -> None:
        """Begin; returns at once. Nothing happens if it has begun already."""
        if self._task is None:
            self._task = asyncio.create_task(self._start())

    async def _start(self) -> None:
        try:
            # In a thread: the framework takes 0.2 s to import, and clients are being served.
            service = await asyncio.to_thread(import_module, _SERVICE)
            self._http = service.admin_service(self._read, self._listener, lambda: self.draining)
            self._http.start()
        except Exception:
            # Records matter more than metrics: the broker goes on without.
            _log.exception("the HTTP side could not be started")

    async def stop(self) -> None:
        """Answer what was asked, then close."""
        if self._task:
            await self._task
        if self._http:
            await self._http.stop()
