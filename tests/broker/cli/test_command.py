import asyncio
import inspect
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tapemq_broker.cli.command import command
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit


def test_a_function_runs_with_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    @command
    def greet(name: str, *, loud: bool = False) -> None:
        print(name.upper() if loud else name)

    greet("you")
    greet("you", loud=True)
    assert capsys.readouterr().out == "you\nYOU\n"


def test_the_signature_stays_for_the_framework_to_read() -> None:
    def body(name: str) -> None:
        """Say it."""

    wrapped = command(body)
    assert inspect.signature(wrapped) == inspect.signature(body)
    assert wrapped.__doc__ == "Say it."


def test_a_coroutine_function_runs_in_a_loop(capsys: pytest.CaptureFixture[str]) -> None:
    @command
    async def greet(name: str) -> None:
        await asyncio.sleep(0)
        print(type(asyncio.get_running_loop()).__module__.partition(".")[0], name)

    greet("you")
    assert capsys.readouterr().out == "uvloop you\n"


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (CommandError("it broke", "mend it"), Exit.FAILED, "tapemq: it broke\n  mend it\n"),
        (CommandError("gone", code=Exit.UNREACHABLE), Exit.UNREACHABLE, "tapemq: gone\n"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, ""),
    ],
)
def test_failures_become_exit_codes(
    raised: BaseException, code: Exit, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @command
    async def fail() -> None:
        raise raised

    with pytest.raises(typer.Exit) as caught:
        fail()
    assert caught.value.exit_code == code
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_end_it_in_order(number: int, code: int) -> None:
    body = """
import asyncio
from tapemq_broker.cli.command import command
@command
async def wait():
    try:
        print("begun", flush=True)
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        print("in order")
try:
    wait()
except Exception as end:
    raise SystemExit(end.exit_code)
"""
    waiter = subprocess.Popen([sys.executable, "-c", body], stdout=subprocess.PIPE, text=True)
    assert waiter.stdout
    with waiter.stdout:
        assert waiter.stdout.readline() == "begun\n"
        waiter.send_signal(number)
        assert waiter.stdout.read() == "in order\n"
    assert waiter.wait() == code


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    @command
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def test_a_reader_that_went_away_ends_it_quietly() -> None:
    # `config show` prints more than fits into nothing.
    writer = subprocess.Popen(
        [sys.executable, "-m", "tapemq", "config", "show"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert writer.stdout
    writer.stdout.close()
    assert writer.stderr
    with writer.stderr:
        said = writer.stderr.read()
    assert (writer.wait(), said) == (0, b"")


def test_a_full_disk_is_told_once() -> None:
    show = [sys.executable, "-m", "tapemq", "config", "check"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(show, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "tapemq: [Errno 28] No space left on device\n")


def test_what_the_sdk_warns_of_is_marked_as_ours() -> None:
    code = """
import logging
from tapemq_broker.cli.command import command
command(lambda: logging.getLogger("tapemq.client").warning("lost it"))()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "tapemq: lost it\n"
