import asyncio
import errno
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tapemq_broker.admin import listener as listener_of
from tapemq_broker.cli import broker_process
from tapemq_broker.cli.broker_process import BrokerProcess
from tapemq_broker.cli.exits import Exit
from tapemq_broker.config import Settings
from tapemq_broker.server.recovery_progress import RecoveryProgress
from tapemq_broker.server.status import Status
from tapemq_broker.server.world import World
from tapemq_broker.storage.errors import CorruptLog, DataDirectoryError, LogFailed, LogRefused
from tests.support.no_threads import none_left
from tests.support.status import status

pytestmark = pytest.mark.both_loops

SETTINGS = Settings(port=0, http_port=0, shutdown_grace_s=3.0)


class FakeServer:
    """Starts and stops as it is told."""

    port = 4711
    recovering: RecoveryProgress | None = None

    def __init__(self, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._start = start
        self.events: list[str] = []

    async def start(self, host: str, port: int) -> None:
        try:
            await self._start()
        except asyncio.CancelledError:
            self.events.append("start cancelled")
            raise
        self.events.append(f"started on {host}:{port}")

    def status(self) -> Status:
        return status()

    async def stop(self, grace_s: float) -> None:
        self.events.append(f"stopped within {grace_s}")


async def at_once() -> None:
    pass


def fails_with(error: Exception) -> Callable[[], Coroutine[Any, Any, None]]:
    async def start() -> None:
        raise error

    return start


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """Gives the signals back: uvloop keeps its handlers when it is closed, asyncio does not.

    The tests themselves may run under nohup.
    """
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def serve_with(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeServer]:
    """Puts a server in place that starts with the function."""

    def replace(start: Callable[[], Coroutine[Any, Any, None]]) -> FakeServer:
        server = FakeServer(start)
        monkeypatch.setattr(broker_process, "Server", lambda settings, world: server)
        monkeypatch.setattr(World, "real", lambda data_dir, **options: None)
        return server

    return replace


async def test_stops_cleanly_after_a_signal(
    serve_with: Callable[..., FakeServer], capsys: pytest.CaptureFixture[str]
) -> None:
    async def start() -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)

    server = serve_with(start)
    assert await BrokerProcess(SETTINGS).run() == Exit.OK
    assert server.events == ["started on 127.0.0.1:0", "stopped within 3.0"]
    said = capsys.readouterr().out
    assert said.startswith("ready tapemq://127.0.0.1:4711 http://127.0.0.1:")
    assert said.count("\n") == 1


async def test_a_terminal_that_is_closed_stops_it_cleanly_however_often_that_is_told(
    serve_with: Callable[..., FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, codes = serve_with(at_once), list[int]()
    monkeypatch.setattr(os, "_exit", codes.append)
    stop = server.stop

    async def hung_up_again(grace_s: float) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)
        await stop(grace_s)

    monkeypatch.setattr(server, "stop", hung_up_again)
    running = asyncio.create_task(BrokerProcess(SETTINGS).run())
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGHUP)
    assert (await running, codes) == (Exit.OK, [])
    assert server.events[-1] == "stopped within 3.0"


async def test_under_nohup_it_goes_on(serve_with: Callable[..., FakeServer]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def start() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)

    serve_with(start)
    assert await BrokerProcess(SETTINGS).run() == Exit.OK
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


async def test_a_signal_ends_a_start_that_takes_long(
    serve_with: Callable[..., FakeServer],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def start() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    server = serve_with(start)
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    await BrokerProcess(SETTINGS).run()
    assert codes == [Exit.OK]  # not a return, which would wait for the thread that recovers
    assert server.events == ["start cancelled"]
    assert capsys.readouterr().out == ""


async def test_a_start_that_takes_long_answers_over_http(
    serve_with: Callable[..., FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on, ports = asyncio.Event(), asyncio.Queue[int]()

    def listen(host: str, port: int) -> socket.socket:
        listener = listener_of.listen(host, port)
        ports.put_nowait(listener.getsockname()[1])
        return listener

    monkeypatch.setattr(broker_process, "listen", listen)
    monkeypatch.setattr(broker_process, "_QUICK_START_S", 0)

    async def start() -> None:
        await going_on.wait()
        server.recovering = None
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)

    server = serve_with(start)
    server.recovering = RecoveryProgress(1, 2)
    running = asyncio.create_task(BrokerProcess(SETTINGS).run())
    port = await ports.get()
    assert (await get(port, "/healthz")).startswith(b"HTTP/1.1 200 OK")
    said = await get(port, "/readyz")
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"recovering" in said
    assert b"1 of 2 partitions" in said
    going_on.set()
    assert await running == Exit.OK


async def get(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
async def test_a_second_signal_ends_it_at_once(
    number: int,
    code: int,
    serve_with: Callable[..., FakeServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(os, "_exit", ended.set_result)
    server = serve_with(at_once)

    async def stop(grace_s: float) -> None:
        os.kill(os.getpid(), number)
        await ended

    monkeypatch.setattr(server, "stop", stop)
    running = asyncio.create_task(BrokerProcess(SETTINGS).run())
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    await running
    assert ended.result() == code


DAMAGE = ("00.log", 5, 7, 9, "the header's checksum is wrong")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataDirectoryError("d is locked"), Exit.DATA_REFUSED, "refused: d is locked"),
        (LogRefused("rot", *DAMAGE, "run: x"), Exit.DATA_REFUSED, "refused: 00.log at byte 5"),
        (CorruptLog(*DAMAGE), Exit.DATA_REFUSED, "refused: 00.log is damaged at byte 5"),
        (PermissionError(errno.EACCES, "no", "d"), Exit.DATA_REFUSED, "refused: d: no"),
        (
            NotADirectoryError(errno.ENOTDIR, "no", "d"),
            Exit.DATA_REFUSED,
            "refused: d: this is a file",
        ),
        (FileExistsError(errno.EEXIST, "no", "d"), Exit.DATA_REFUSED, "refused: d: this is a file"),
        (OSError(errno.EIO, "input/output"), Exit.STORAGE_FAILED, "storage failed: "),
        (OSError(errno.ENOSPC, "full"), Exit.DATA_REFUSED, "/tapemq-data: full; free some"),
        (OSError(errno.EDQUOT, "full", "d"), Exit.DATA_REFUSED, "/tapemq-data: full; free some"),
        (LogFailed("gone"), Exit.STORAGE_FAILED, "storage failed: gone"),
        (
            OSError(errno.EADDRINUSE, "loop's own text"),
            Exit.CANNOT_LISTEN,
            "cannot listen on 127.0.0.1:0: Address already in use; choose another --port",
        ),
        (
            socket.gaierror(socket.EAI_NONAME, "unknown name"),
            Exit.CANNOT_LISTEN,
            "cannot listen on 127.0.0.1:0: unknown name; choose another --host",
        ),
        (
            OSError(errno.EADDRNOTAVAIL, "loop's own text"),
            Exit.CANNOT_LISTEN,
            "cannot listen on 127.0.0.1:0: Cannot assign requested address; choose another --host",
        ),
        (
            UnicodeError("label empty or too long"),
            Exit.CANNOT_LISTEN,
            "cannot listen on 127.0.0.1:0: no host can have this name (label empty or too long)",
        ),
        (
            PermissionError(errno.EACCES, "below 1024"),
            Exit.CANNOT_LISTEN,
            "cannot listen on 127.0.0.1:0: Permission denied",
        ),
    ],
)
async def test_a_failed_start_says_why_and_ends_with_its_code(
    error: Exception,
    code: Exit,
    said: str,
    serve_with: Callable[..., FakeServer],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    serve_with(fails_with(error))
    with caplog.at_level(logging.ERROR):
        assert await BrokerProcess(SETTINGS).run() == code
    assert [said in record.getMessage() for record in caplog.records] == [True]
    assert capsys.readouterr().out == ""


async def test_where_threads_cannot_be_started_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(threading.Thread, "start", none_left)
    settings = Settings(data_dir=tmp_path / "data", port=0, http_port=0)
    assert await BrokerProcess(settings).run() == Exit.FAILED
    assert "Raise the limit on threads: TasksMax" in caplog.text


async def test_an_http_port_in_use_is_refused_before_the_data_is_touched(
    serve_with: Callable[..., FakeServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = serve_with(at_once)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(port=0, http_port=taken.getsockname()[1])
        assert await BrokerProcess(settings).run() == Exit.CANNOT_LISTEN
    assert server.events == []
    assert caplog.records[-1].getMessage().endswith("choose another --http-port")


async def test_an_http_host_that_cannot_be_a_name_is_refused(
    serve_with: Callable[..., FakeServer], caplog: pytest.LogCaptureFixture
) -> None:
    serve_with(at_once)
    settings = Settings(port=0, http_host="a..b", http_port=0)
    assert await BrokerProcess(settings).run() == Exit.CANNOT_LISTEN
    assert caplog.records[-1].getMessage().startswith("cannot listen on a..b:0: no host can have")


async def test_it_serves_though_nobody_can_read_that_it_is_ready(
    serve_with: Callable[..., FakeServer],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def start() -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)

    server = serve_with(start)
    with os.fdopen(os.open("/dev/full", os.O_WRONLY), "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert await BrokerProcess(SETTINGS).run() == Exit.OK
    assert server.events == ["started on 127.0.0.1:0", "stopped within 3.0"]
    said = "the ready line could not be printed: No space left on device"
    assert said in [record.getMessage() for record in caplog.records]


async def test_an_ipv6_address_is_written_in_brackets(
    serve_with: Callable[..., FakeServer], capsys: pytest.CaptureFixture[str]
) -> None:
    async def start() -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)

    serve_with(start)
    settings = Settings(host="::1", http_host="::1", port=0, http_port=0)
    assert await BrokerProcess(settings).run() == Exit.OK
    assert capsys.readouterr().out.startswith("ready tapemq://[::1]:4711 http://[::1]:")


async def test_connections_and_segments_fit_into_what_may_be_open(
    serve_with: Callable[..., FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start() -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)

    server, made = serve_with(start), []

    def make(settings: Settings, world: object) -> FakeServer:
        made.append((settings.connections_max, world))
        return server

    monkeypatch.setattr(broker_process, "Server", make)
    monkeypatch.setattr(World, "real", lambda data_dir, **options: options["segments_open_max"])
    monkeypatch.setattr(resource, "getrlimit", lambda number: (400, 400))
    monkeypatch.setattr(resource, "setrlimit", lambda number, limits: None)
    assert await BrokerProcess(SETTINGS).run() == Exit.OK
    assert made == [(100, 100)]
