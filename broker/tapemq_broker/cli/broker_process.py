"""A broker as a process: listens, says that it is ready, and drains when it is told to stop."""

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
from typing import Final

from tapemq_broker.admin.launcher import Launcher
from tapemq_broker.admin.listener import listen
from tapemq_broker.cli import open_files
from tapemq_broker.cli.exits import Exit
from tapemq_broker.cli.output import end_output
from tapemq_broker.config import Settings
from tapemq_broker.server.server import Server
from tapemq_broker.server.world import World
from tapemq_broker.storage.errors import (
    CorruptLog,
    DataDirectoryError,
    LogRefused,
    StorageError,
)
from tapemq_broker.storage.threads import NoThreads, started

_log = logging.getLogger("tapemq.serve")

_ADDRESS_ERRORS: Final = frozenset(
    (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES, socket.EAI_NONAME, socket.EAI_AGAIN)
)
_NO_DIRECTORY_ERRORS: Final = frozenset((errno.ENOTDIR, errno.EEXIST))
_DIRECTORY_ERRORS: Final = _NO_DIRECTORY_ERRORS | frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT)
)
_FULL_ERRORS: Final = frozenset((errno.ENOSPC, errno.EDQUOT))
_SECOND_SIGNAL: Final = {signal.SIGTERM: Exit.TERMINATED, signal.SIGINT: Exit.INTERRUPTED}


_QUICK_START_S: Final = 1.0
"""Up to this, clients wait for a start, and not for the web framework: importing it takes 0.2 s.
After this, those who look after the process are answered."""


_WORKERS: Final = min(32, (os.cpu_count() or 1) + 4)
"""Threads that look into large batches, make topics, and so on: as many as asyncio would take."""


class CannotListen(Exception):
    """An address cannot be listened on."""


class StoppedEarly(Exception):
    """A signal came before the broker was ready."""


class BrokerProcess:
    """Runs one broker in the running event loop, from its start to its exit code."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._files_max: int | None = None
        self._stop = asyncio.Event()

    async def run(self) -> Exit:
        """Serve until a signal comes. What went wrong is in the log."""
        self._catch_signals()
        self._files_max = open_files.take_all()
        self._settings = open_files.fitted(self._settings, self._files_max)
        try:
            await self._run()
        except StoppedEarly:
            _log.info("stopped while reading the data directory; the next start reads it again")
            # The thread that reads cannot be stopped, and would be waited for. What it leaves is
            # what a crash may leave, too.
            os._exit(Exit.OK)
        except CannotListen as error:
            _log.error("%s", error)
            return Exit.CANNOT_LISTEN
        except LogRefused as error:
            data_dir = str(self._settings.data_dir.absolute())
            _log.error("the data directory is refused: %s", error.told(data_dir))
            return Exit.DATA_REFUSED
        except NoThreads as error:
            _log.error("%s", error)
            return Exit.FAILED
        except (DataDirectoryError, CorruptLog) as error:
            _log.error("the data directory is refused: %s", error)
            return Exit.DATA_REFUSED
        except (StorageError, OSError) as error:
            _log.error("storage failed: %s", error)
            return Exit.STORAGE_FAILED
        return Exit.OK

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _SECOND_SIGNAL:
            loop.add_signal_handler(number, self._signalled, number)
        # Under nohup, and under supervisors that do so, it is to be ignored.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGHUP, self._hung_up)

    def _hung_up(self) -> None:
        """The terminal was closed. Shell and system may both say so: it is no second signal."""
        if not self._stop.is_set():
            self._signalled(signal.SIGHUP)

    def _signalled(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            # Durable is what has a receipt; nothing that a receipt was given for is lost by this.
            os._exit(_SECOND_SIGNAL[number])
        _log.info("stopping; a second signal stops at once", extra={"signal": number.name})
        self._stop.set()

    async def _run(self) -> None:
        settings = self._settings
        with _listen(settings.http_host, settings.http_port) as listener:
            server = Server(settings, self._world())
            admin = Launcher(lambda: server.recovering or server.status(), listener)
            loop = asyncio.get_running_loop()
            start_admin = loop.call_later(_QUICK_START_S, admin.start)
            try:
                await self._serve(server, admin, listener)
            finally:
                start_admin.cancel()
                await admin.stop()
        _log.info("stopped")

    def _world(self) -> World:
        settings = self._settings
        asyncio.get_running_loop().set_default_executor(started(_WORKERS, "tapemq-work"))
        return World.real(
            settings.data_dir,
            sync_threads=settings.sync_threads,
            sync=settings.sync,
            segments_open_max=open_files.segments_within(self._files_max),
            make_threads=started,
        )

    async def _serve(self, server: Server, admin: Launcher, listener: socket.socket) -> None:
        if not await self._has_started(server):
            admin.draining = True
            raise StoppedEarly
        self._say_ready(server.port, listener)
        admin.start()
        await self._stop.wait()
        admin.draining = True
        await server.stop(grace_s=self._settings.shutdown_grace_s)

    async def _has_started(self, server: Server) -> bool:
        """Whether the server runs; False if the process is to stop before it does."""
        start = asyncio.create_task(_start(server, self._settings))
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait((start, stop), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if start.done():
            start.result()
            return True
        start.cancel()
        await asyncio.wait((start,))
        return False

    def _say_ready(self, port: int, listener: socket.socket) -> None:
        settings = self._settings
        address = _address(settings.host, port)
        http_address = _address(settings.http_host, listener.getsockname()[1])
        _print(f"ready tapemq://{address} http://{http_address}")
        _log.info(
            "ready",
            extra={
                "address": address,
                "http": http_address,
                "data_dir": settings.data_dir.absolute(),
                "pid": os.getpid(),
                "python": sys.version.split()[0],
            },
        )


def _print(line: str) -> None:
    """Print it for whoever waits for it. If nobody does, clients may come all the same."""
    try:
        print(line, flush=True)
    except OSError as error:
        end_output()
        _log.warning("the ready line could not be printed: %s", error.strerror)


async def _start(server: Server, settings: Settings) -> None:
    try:
        await server.start(settings.host, settings.port)
    except UnicodeError as error:
        raise _cannot_listen(settings.host, settings.port, "", _no_name(error)) from error
    except OSError as error:
        # What concerns files has a file's name; what is left of these errors concerns the address.
        if error.filename is None and error.errno in _ADDRESS_ERRORS:
            raise _cannot_listen(settings.host, settings.port, "", error) from error
        if error.errno in _DIRECTORY_ERRORS:
            is_file = error.errno in _NO_DIRECTORY_ERRORS
            reason = "this is a file; name a directory" if is_file else error.strerror
            raise DataDirectoryError(f"{error.filename}: {reason}") from error
        if error.errno in _FULL_ERRORS:
            # What is written to a file that is open has no name.
            place = settings.data_dir.absolute()
            raise DataDirectoryError(f"{place}: {error.strerror}; free some of it") from error
        raise


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except UnicodeError as error:
        raise _cannot_listen(host, port, "http-", _no_name(error)) from error
    except OSError as error:
        raise _cannot_listen(host, port, "http-", error) from error


def _no_name(error: UnicodeError) -> OSError:
    """What looking a name up raises for one that cannot be a name, as it raises other errors."""
    return socket.gaierror(socket.EAI_NONAME, f"no host can have this name ({error})")


def _cannot_listen(host: str, port: int, prefix: str, error: OSError) -> CannotListen:
    """``prefix``: of the flags that the address comes from."""
    # Errors of name look-up have negative numbers, and a text that says all.
    number = error.errno or 0
    reason = os.strerror(number) if number > 0 else error.strerror
    flag = "port" if number > 0 and number != errno.EADDRNOTAVAIL else "host"
    return CannotListen(
        f"cannot listen on {_address(host, port)}: {reason}; choose another --{prefix}{flag}"
    )


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
