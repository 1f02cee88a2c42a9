"""`tapemq serve` as a process, as scripts and containers see it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

READY = re.compile(r"ready tapemq://127\.0\.0\.1:(\d+) http://127\.0\.0\.1:(\d+)\n")
PORTS = ("--port", "0", "--http-port", "0")


class Serve:
    """A started process, with pipes for its output."""

    def __init__(self, *options: str, python: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *python, "-m", "tapemq", "serve", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
        )

    def wait_until_ready(self) -> tuple[int, int]:
        """The port of the protocol and the port of HTTP."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        match = READY.fullmatch(line)
        assert match, f"{line!r}: {self.process.communicate()[1]}"
        return int(match[1]), int(match[2])

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Exit code and what else was printed, after a signal."""
        self.process.send_signal(number)
        return self.result()

    def result(self) -> tuple[int, str, str]:
        """Exit code and what else was printed."""
        out, err = self.process.communicate()
        return self.process.returncode, out, err

    def close(self) -> None:
        """End it whatever happened."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def started() -> Iterator[list[Serve]]:
    processes: list[Serve] = []
    yield processes
    for process in processes:
        process.close()


@pytest.fixture
def serve(started: list[Serve], tmp_path: Path) -> Any:
    """Starts a process; all are ended after the test."""

    def start(*options: str, data_dir: Path = tmp_path / "data", **more: Any) -> Serve:
        started.append(Serve("--data-dir", str(data_dir), *PORTS, *options, **more))
        return started[-1]

    return start


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body. Connections wait until the HTTP side is there."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_line_says_that_it_is_ready_and_a_signal_stops_it(serve: Any, number: int) -> None:
    broker = serve()
    port, http_port = broker.wait_until_ready()
    socket.create_connection(("127.0.0.1", port)).close()
    assert get(http_port, "/readyz") == (200, '{"status":"ready"}')
    code, out, err = broker.end(number)
    assert (code, out) == (0, "")
    assert [line for line in err.splitlines() if " error " in line] == []


def test_health_and_metrics_answer(serve: Any) -> None:
    _, http_port = serve().wait_until_ready()
    assert get(http_port, "/healthz") == (200, '{"status":"ok"}')
    status, metrics = get(http_port, "/metrics")
    assert status == 200
    assert "\ntapemq_ready 1.0\n" in metrics
    assert "\nprocess_resident_memory_bytes " in metrics


def test_no_framework_is_imported_before_it_is_ready(serve: Any) -> None:
    broker = serve(python=("-X", "importtime"))
    _, http_port = broker.wait_until_ready()
    get(http_port, "/healthz")
    lines = broker.end()[2].splitlines()
    ready = next(number for number, line in enumerate(lines) if " serve: ready " in line)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines[:ready]}
    assert "tapemq_broker" in imported
    frameworks = {"typer", "click", "rich", "starlette", "uvicorn", "prometheus_client", "anyio"}
    assert imported & frameworks == set()
    later = {line.rpartition("|")[2].strip() for line in lines[ready:]}
    assert {"starlette", "uvicorn", "prometheus_client"} <= later


def test_it_starts_again_on_what_it_left(serve: Any) -> None:
    for end in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        broker = serve()
        broker.wait_until_ready()
        broker.end(end)
    serve().wait_until_ready()


def test_a_data_directory_in_use_is_refused(serve: Any, tmp_path: Path) -> None:
    serve().wait_until_ready()
    code, out, err = serve().result()
    assert (code, out) == (73, "")
    assert "the data directory is refused" in err
    assert "Traceback" not in err


def test_what_is_no_directory_is_refused(serve: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    code, out, err = serve(data_dir=file).result()
    assert (code, out) == (73, "")
    assert str(file) in err
    assert "Traceback" not in err


@pytest.mark.parametrize("flag", ["--port", "--http-port"])
def test_an_address_in_use_is_named_with_its_flag(serve: Any, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = serve(flag, str(port)).result()
    assert (code, out) == (69, "")
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in err
    assert f"choose another {flag}" in err
    assert "Traceback" not in err


def test_a_host_that_nobody_knows_cannot_be_listened_on(serve: Any) -> None:
    code, out, err = serve("--host", "nowhere.invalid").result()
    assert (code, out) == (69, "")
    assert "cannot listen on nowhere.invalid:0" in err


def test_a_bad_setting_is_refused(serve: Any) -> None:
    code, out, err = serve("--heartbeat-s", "soon").result()
    assert (code, out) == (78, "")
    assert err.startswith("tapemq: heartbeat_s = 'soon' is not allowed: ")
    assert err.endswith("(from flag --heartbeat-s)\n")


def test_syncing_off_is_said_loudly(serve: Any) -> None:
    broker = serve("--no-sync")
    broker.wait_until_ready()
    assert " warning serve: SYNCING IS OFF: " in broker.end()[2]


def test_the_log_can_be_json(serve: Any) -> None:
    broker = serve("--log-format", "json")
    port, _ = broker.wait_until_ready()
    events = [json.loads(line) for line in broker.end()[2].splitlines()]
    ready = next(event for event in events if event["message"] == "ready")
    assert ready["address"] == f"127.0.0.1:{port}"
    assert ready["pid"] == broker.process.pid
