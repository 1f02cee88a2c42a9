"""A process that has a broker's code imported, and forks brokers: a start costs little.

``python -m tests.support.crash.broker_nursery``. Each line of standard input is a JSON list: a file
for standard error, and the arguments of ``tapemq serve``. Prints the broker's process id; then the
broker prints what it has to say; then, when it has ended, ``ended STATUS``.
"""

import json
import os
import sys
from importlib import import_module
from typing import Final

from tapemq_broker.cli.serve import serve

_NEEDED_LATER: Final = (
    "tapemq_broker.cli.broker_process",
    "tapemq_broker.admin.service",
    "uvloop",
)


def main() -> None:
    """Until standard input ends. One broker at a time."""
    for module in _NEEDED_LATER:
        import_module(module)
    while line := sys.stdin.readline():
        log_path, *arguments = json.loads(line)
        process = os.fork()
        if not process:
            _be_broker(log_path, arguments)
        _, status = os.waitpid(process, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


def _be_broker(log_path: str, arguments: list[str]) -> None:
    """Never returns."""
    code = 1
    try:
        log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(log, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        print(os.getpid(), flush=True)
        code = serve(arguments)
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
