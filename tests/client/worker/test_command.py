import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapemq.worker import command
from tapemq.worker.command import main
from tapemq.worker.options import parse

JOBS = """\
from tapemq.worker.app import App

app = App()


@app.handler("orders", group="billing")
async def bill(message): ...
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "some_jobs.py").write_text(JOBS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "some_jobs", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


@pytest.fixture(autouse=True)
def level_as_before() -> Iterator[None]:
    yield
    logging.getLogger("tapemq").setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere:app"], "tapemq: there is no module 'nowhere'"),
        (["some_jobs:app", "--url", "http://a"], "tapemq: "),
    ],
)
def test_what_makes_no_sense_ends_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(said)


STUCK = """\
import asyncio
import threading
from contextlib import asynccontextmanager
import tapemq.testing
from tapemq.worker import command
from tapemq.worker.options import parse

@asynccontextmanager
async def lifespan(client):
    try:
        yield
    finally:
        raise ZeroDivisionError("at the end")

app = tapemq.App(lifespan=lifespan)

@app.handler("gone", group="g")
def take(message):
    loop.call_soon_threadsafe(begun.set)
    threading.Event().wait()

async def main():
    global loop, begun
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    async with tapemq.testing.Broker() as broker, await broker.connect() as client:
        await client.publish("gone", "v")
        options = parse(["m:app", f"--url={broker.url}", "--grace=0"])
        working = asyncio.create_task(command._work(app, options))
        await begun.wait()
        await client.delete_topic("gone")
        await working

asyncio.run(main())
"""


def test_a_failure_ends_it_though_a_thread_of_a_handler_goes_on() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60.0
    )
    assert ran.returncode == 1
    assert "ZeroDivisionError: at the end" in ran.stderr


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    code = """
import sys
from tapemq import worker
from tapemq.worker import runner
connect = runner.connect
runner.connect = lambda url: connect(url, connect_timeout=0.05)
from tapemq.worker.command import main
sys.exit(main(sys.argv[1:]))
"""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=os.getcwd()
    )


def test_no_broker_ends_with_3() -> None:
    ran = run("some_jobs:app", "--url", "tapemq://127.0.0.1:1")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert "is a broker running at tapemq://127.0.0.1:1?" in ran.stderr


def test_the_sdk_alone_is_enough() -> None:
    code = """
import runpy, sys
sys.argv = ["tapemq", "worker", "nowhere:app"]
try:
    runpy.run_module("tapemq", run_name="__main__")
except SystemExit as ended:
    print(ended.code)
imported = {name.partition(".")[0] for name in sys.modules}
print(sorted(imported & {"tapemq_broker", "uvloop", "typer"}))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["2", "[]"]


def test_each_of_several_processes_gets_the_same_options() -> None:
    options = parse(["j:a", "--url=tapemq://h", "--processes=3", "--grace=2"])
    arguments = command._arguments(options)
    assert parse(arguments) == options._replace(processes=1, supervised=True)
