"""Runs an ASGI application in the broker's own event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_CONNECTIONS_MAX: Final = 100
_IDLE_S: Final = 15
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
            http=H11Protocol,  # by name, it would be imported in the event loop: 10 ms
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS_MAX,
            timeout_keep_alive=_IDLE_S,
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
