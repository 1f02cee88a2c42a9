import asyncio
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop

from tests.conftest import (
    SUMMARY,
    pytest_asyncio_loop_factories,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_terminal_summary,
)


def on_uvloop() -> bool:
    return isinstance(asyncio.get_running_loop(), uvloop.Loop)


@pytest.mark.both_loops
async def test_marked_test_runs_on_both_loops(request: pytest.FixtureRequest) -> None:
    assert set(pytest_asyncio_loop_factories(request.node)) == {"asyncio", "uvloop"}
    assert request.node.name.endswith("[uvloop]" if on_uvloop() else "[asyncio]")


async def test_other_test_runs_on_asyncio_alone(request: pytest.FixtureRequest) -> None:
    assert set(pytest_asyncio_loop_factories(request.node)) == {"asyncio"}
    assert not on_uvloop()


def test_an_ignored_interrupt_is_heeded_again() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pytest_configure()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_long_folders_come_first_and_all_else_keeps_its_order() -> None:
    paths = ["tests/client/b.py", "tests/faults/c.py", "tests/broker/a.py", "tests/simulation/d.py"]
    items: list[Any] = [SimpleNamespace(path=Path(path)) for path in paths]
    pytest_collection_modifyitems(items)
    assert [str(item.path) for item in items] == [paths[n] for n in (1, 3, 0, 2)]


def test_what_tests_record_is_printed_once() -> None:
    printed: list[str] = []
    properties = [(SUMMARY, ["one", "two"]), ("other", 3)]
    passed = SimpleNamespace(when="call", user_properties=properties)
    after = SimpleNamespace(when="teardown", user_properties=properties)
    stats = {"passed": [passed], "": [after], "warnings": [SimpleNamespace()]}
    reporter: Any = SimpleNamespace(stats=stats, write=printed.append)
    pytest_terminal_summary(reporter)
    assert printed == ["one\ntwo\n"]
