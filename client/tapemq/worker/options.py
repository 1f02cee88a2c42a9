"""The command line of `tapemq worker`."""

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

_URL: Final = "tapemq://localhost:7077"
_EPILOG: Final = """\
The first SIGTERM or SIGINT stops taking messages and lets handlers end; what is still at work after
--grace seconds is given back, and comes again elsewhere. A second one stops at once.

Exit codes: 0 stopped as asked, 1 a queue could not be read any more or stopping took too long,
2 wrong command line or the application cannot be loaded, 3 the broker could not be reached at the
start, 130 and 143 a second SIGINT or SIGTERM.
"""


class Options(NamedTuple):
    """What was asked for."""

    target: str
    url: str
    concurrency: int
    processes: int
    grace_s: float
    log_level: str
    supervised: bool


def parse(arguments: Sequence[str]) -> Options:
    """Read a command line. Raises SystemExit for a wrong one, and for --help."""
    parser = argparse.ArgumentParser(
        prog="tapemq worker",
        description="Run the handlers of an application: app = tapemq.App() in a module.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("target", metavar="MODULE:APP", help="where the application is, such as jobs:app")
    add(
        "--url",
        default=os.environ.get("TAPEMQ_URL") or _URL,
        help=f"address of the broker; default: TAPEMQ_URL, else {_URL}",
    )
    add(
        "--concurrency",
        type=_at_least(1, int),
        default=10,
        metavar="NUMBER",
        help="messages at a time, of each handler that does not say it (10)",
    )
    add(
        "--processes",
        type=_at_least(1, int),
        default=1,
        metavar="NUMBER",
        help="so many processes; one that crashes is replaced (1: this one)",
    )
    add(
        "--grace",
        dest="grace_s",
        type=_at_least(0, float),
        default=25.0,
        metavar="SECONDS",
        help="time for handlers at work when it stops (25)",
    )
    levels = ["debug", "info", "warning", "error"]
    add("--log-level", choices=levels, default="info", help="debug logs each message (info)")
    add("--supervised", action="store_true", help=argparse.SUPPRESS)
    return Options(**vars(parser.parse_args(arguments)))


def _at_least(least: int, kind: type[int] | type[float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = -1
        if not least <= number < 1e9:
            what = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {what} of at least {least}")
        return number

    return read
