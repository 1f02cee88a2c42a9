"""Asks before something that cannot be undone."""

import sys

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
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was done")
