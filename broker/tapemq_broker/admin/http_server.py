"""Runs an ASGI application in the broker's own event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from tapemq_broker.admin.http_connection import WAIT_S, HttpConnection

_STOP_S: Final = 1


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # Signals belong to the broker, which has to drain before the process ends.
        yield


class HttpServer:
    """Serves an application on a socket that listens already, until it is stopped."""

    def __init__(self, application: ASGIApp, listener: socket.socket) -> None:
        self.application = application
        config = uvicorn.Config(
            application,
            http=HttpConnection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=WAIT_S,
            timeout_graceful_shutdown=_STOP_S,
        )
        self._uvicorn = _Uvicorn(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to serve, in the running loop."""
        self._task = asyncio.create_task(self._uvicorn.serve(sockets=[self._listener]))

    async def stop(self) -> None:
        """Answer what has been asked, for a second at most, and close the socket."""
        self._uvicorn.should_exit = True
        if self._task:
            await self._task
