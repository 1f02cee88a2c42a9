import asyncio
import gc
import signal
from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import chain

import pytest
import uvloop
from hypothesis import HealthCheck, settings

from tests.support.proof.evidence import Evidence, evidence_directory, write

# A deadline would be a timed assertion: it fails on a busy machine, not on a fault. So is the check
# of how long examples take to be made.
settings.register_profile("tapemq", deadline=None, suppress_health_check=[HealthCheck.too_slow])
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


def pytest_collection_finish() -> None:
    """Keep nine thousand tests out of every collection of garbage that is to come."""
    gc.collect()
    gc.freeze()


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


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember for the fixture `evidence` whether the test failed."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Iterator[Evidence]:
    """Takes the test's figures: `evidence.note("P1", kills=100, lost=0)`."""
    noted = Evidence()
    yield noted
    directory = evidence_directory()
    if directory is not None and (noted.promises or noted.figures):
        outcome = "failed" if request.node.stash.get(_FAILED, False) else "passed"
        write(directory, noted.line(request.node.nodeid, outcome, directory))
