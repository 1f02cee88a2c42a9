"""Runs the body of a command: coroutines in a loop, failures as a line and an exit code."""

import asyncio
import inspect
import logging
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

import typer
import uvloop

import tapemq
from tapemq_broker.cli.errors import CommandError, complain
from tapemq_broker.cli.exits import Exit
from tapemq_broker.cli.failures import failure_of
from tapemq_broker.cli.output import end_output
from tapemq_broker.storage.errors import StorageError

P = ParamSpec("P")


class Terminated(Exception):
    """SIGTERM came."""


def command(function: Callable[P, Coroutine[Any, Any, None] | None]) -> Callable[P, None]:
    """Make a function or coroutine function the body of a command.

    It may raise CommandError, what `failure_of` knows, and be interrupted: no traceback is shown. A
    reader of standard output that went away (`| head`) ends it without a word.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        code = _contained(function, *args, **kwargs)
        if code:
            raise typer.Exit(code)

    return run


def _contained(
    function: Callable[P, Coroutine[Any, Any, None] | None], *args: P.args, **kwargs: P.kwargs
) -> Exit:
    if logging.lastResort:
        # What the SDK warns of, such as a lost connection, looks like the other complaints.
        logging.lastResort.setFormatter(logging.Formatter("tapemq: %(message)s"))
    try:
        _run(function, *args, **kwargs)
        sys.stdout.flush()
    except CommandError as error:
        return _fail(error)
    except BrokenPipeError:
        return Exit.OK
    except (tapemq.Error, StorageError, OSError) as error:
        return _fail(failure_of(error, str(kwargs.get("topic") or "TOPIC")))
    except Terminated:
        return Exit.TERMINATED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    finally:
        end_output()
    return Exit.OK


def _fail(error: CommandError) -> Exit:
    complain(error.text, error.advice)
    return error.code


def _run(
    function: Callable[P, Coroutine[Any, Any, None] | None], *args: P.args, **kwargs: P.kwargs
) -> None:
    result = function(*args, **kwargs)
    if inspect.iscoroutine(result):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_terminated(result))


async def _until_terminated(work: Coroutine[Any, Any, None]) -> None:
    """Let SIGTERM end a command as Ctrl-C does: what it began is left in order."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    signals: list[int] = []

    def terminate() -> None:
        signals.append(signal.SIGTERM)
        task.cancel()

    if threading.current_thread() is threading.main_thread():
        loop.add_signal_handler(signal.SIGTERM, terminate)
    try:
        await work
    except asyncio.CancelledError:
        if signals:
            raise Terminated from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
