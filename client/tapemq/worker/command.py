"""`tapemq worker`: runs an application in one process, or looks after several."""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from typing import Final

from tapemq.errors import ConnectionLost, Error, ProtocolViolation, Unauthenticated
from tapemq.network.url import parse_url
from tapemq.worker.app import App
from tapemq.worker.exits import Exit
from tapemq.worker.loading import LoadError, load
from tapemq.worker.options import Options, parse
from tapemq.worker.runner import Runner
from tapemq.worker.stopping import Stopping
from tapemq.worker.supervisor import Supervisor

log = logging.getLogger("tapemq.worker")

_LOG_FORMAT: Final = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
_UNREACHABLE: Final = (ConnectionLost, ProtocolViolation, Unauthenticated)
_END_S: Final = 15.0
"""How long stopping may take beyond the grace."""


def main(arguments: Sequence[str]) -> int:
    """Run a worker until it is told to stop; its exit code."""
    options = parse(arguments)
    # Does nothing if the application's module, or who embeds this, has set logging up.
    logging.basicConfig(format=_LOG_FORMAT, stream=sys.stderr)
    logging.getLogger("tapemq").setLevel(options.log_level.upper())
    try:
        # Before any process is started: they would all fail alike.
        app = load(options.target)
        parse_url(options.url)
    except (LoadError, ValueError) as error:
        return _complain(str(error), Exit.USAGE)
    if options.processes > 1:
        return asyncio.run(_supervise(options))
    return asyncio.run(_work(app, options))


async def _supervise(options: Options) -> int:
    command = [sys.executable, "-m", "tapemq", "worker", *_arguments(options)]
    supervisor = Supervisor(command, options.processes)
    stopping = Stopping(options.grace_s + 2 * _END_S, supervisor.kill)
    stopping.catch_signals()
    try:
        return await supervisor.run(stopping.asked)
    finally:
        stopping.close()


def _arguments(options: Options) -> list[str]:
    """Of one of several processes."""
    return [
        options.target,
        f"--url={options.url}",
        f"--concurrency={options.concurrency}",
        f"--grace={options.grace_s}",
        f"--log-level={options.log_level}",
        "--supervised",
    ]


async def _work(app: App, options: Options) -> int:
    stopping = Stopping(options.grace_s + _END_S, supervised=options.supervised)
    stopping.catch_signals()
    runner = Runner(app, options.url, concurrency=options.concurrency, grace_s=options.grace_s)
    try:
        code = await _run(runner, options.url, stopping.asked)
    except Exception:
        if not runner.cut_off:
            raise
        log.exception("the worker failed")
        code = Exit.FAILED
    finally:
        stopping.close()
    if runner.cut_off:
        # Threads of handlers may still run, and the interpreter would wait for them.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)
    return code


async def _run(runner: Runner, url: str, stop: asyncio.Event) -> int:
    try:
        await runner.run(stop)
    except Error as error:
        if not runner.begun and isinstance(error, _UNREACHABLE):
            advice = f"is a broker running at {url}? start one with: tapemq serve; or pass --url"
            return _complain(f"{error}\n  {advice}", Exit.UNREACHABLE)
        return _complain(str(error), Exit.FAILED)
    return Exit.OK


def _complain(text: str, code: Exit) -> Exit:
    print(f"tapemq: {text}", file=sys.stderr)
    return code
