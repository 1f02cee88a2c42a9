import asyncio
import signal
from collections.abc import Callable, Mapping
from itertools import chain

import pytest
import uvloop
from hypothesis import settings

# A deadline would be a timed assertion: it fails on a busy machine, not on a fault.
settings.register_profile("tapemq", deadline=None)
settings.load_profile("tapemq")

LONG_FOLDERS = ("simulation", "faults", "overload")

SUMMARY = "summary"
"""The property in which a test records lines to be printed behind all results."""


def pytest_configure() -> None:
    """Let SIGINT interrupt.

    A shell ignores it in what it runs in the background, and the processes that are started there
    inherit that: a test that interrupts one would wait for its end for ever.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, or one of several workers would still be at it at the end."""
    items.sort(key=lambda item: item.path.parent.name not in LONG_FOLDERS)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have recorded, whichever process they ran in."""
    for report in chain.from_iterable(terminalreporter.stats.values()):
        if getattr(report, "when", None) == "call":
            for name, lines in report.user_properties:
                if name == SUMMARY:
                    terminalreporter.write("\n".join([*lines, ""]))


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each async test on asyncio, and one marked `both_loops` on uvloop too."""
    if item.get_closest_marker("both_loops") is None:
        return {"asyncio": asyncio.new_event_loop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
