"""Asks before something that cannot be undone."""

import sys

import typer

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
    if not typer.confirm(question, err=True):
        raise CommandError("nothing was done")
