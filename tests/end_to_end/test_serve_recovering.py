"""A process of which the data directory is being read: it answers, and ends when it is told to."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

RECOVERS_FOR_EVER = """
import sys, threading
from tapemq_broker.cli import broker_process
from tapemq_broker.cli.serve import serve
from tapemq_broker.server.startup import Startup

listen, load = broker_process.listen, Startup.load

def tell(host, port):
    listener = listen(host, port)
    print(listener.getsockname()[1], flush=True)
    return listener

def load_and_stay(startup):
    load(startup)
    threading.Event().wait()

broker_process.listen, Startup.load = tell, load_and_stay
sys.exit(serve(sys.argv[1:]))
"""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    processes = []

    def start() -> subprocess.Popen[str]:
        options = ("--data-dir", str(tmp_path / "data"), "--port", "0", "--http-port", "0")
        command = [sys.executable, "-c", RECOVERS_FOR_EVER, *options]
        pipe = subprocess.PIPE
        processes.append(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def get(port: int, path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, json.loads(body) if body.startswith("{") else body


def test_probes_are_answered_and_a_signal_ends_it(
    serve: Callable[[], subprocess.Popen[str]],
) -> None:
    for _ in range(2):  # what was interrupted begins again
        process = serve()
        assert process.stdout
        port = int(process.stdout.readline())
        assert get(port, "/healthz") == (200, {"status": "ok"})
        code, said = get(port, "/readyz")
        assert (code, [reason["reason"] for reason in said["reasons"]]) == (503, ["recovering"])
        assert "\ntapemq_ready 0.0\n" in get(port, "/metrics")[1]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
        assert (process.returncode, out) == (0, "")
        assert "stopped while reading the data directory" in err
        assert "Traceback" not in err
