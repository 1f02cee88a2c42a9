"""What a command says when it fails."""

import sys

from tapemq_broker.cli.exits import Exit


class CommandError(Exception):
    """A command failed in a way that the user can do something about.

    `text` says what is wrong, `advice` what to do (empty: nothing to add).
    """

    def __init__(self, text: str, advice: str = "", code: Exit = Exit.FAILED) -> None:
        super().__init__(text)
        self.text = text
        self.advice = advice
        self.code = code


def complain(text: str, advice: str = "") -> None:
    """Print an error, and what to do about it, on standard error."""
    print(f"tapemq: {text}", file=sys.stderr)
    for line in advice.splitlines():
        print(f"  {line}", file=sys.stderr)
