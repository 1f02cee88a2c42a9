"""Asks before something that cannot be undone."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit


def confirm(question: str, yes: bool) -> None:
    """Return if the answer is yes. Raises CommandError if it is no, or if nobody can be asked.

    `yes`: it was answered on the command line.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Nobody can be asked here", "pass --yes", Exit.USAGE)
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    with _interrupted_at_once():
        answer = sys.stdin.readline()
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was done")


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Let signals end the waiting: an event loop would only note them, and never get to it."""
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)
    terminated = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, terminated)
        signal.signal(signal.SIGINT, interrupted)
