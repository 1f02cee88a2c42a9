import asyncio

import pytest
import uvloop

from tests.conftest import pytest_asyncio_loop_factories


def on_uvloop() -> bool:
    return isinstance(asyncio.get_running_loop(), uvloop.Loop)


@pytest.mark.both_loops
async def test_marked_test_runs_on_both_loops(request: pytest.FixtureRequest) -> None:
    assert set(pytest_asyncio_loop_factories(request.node)) == {"asyncio", "uvloop"}
    assert request.node.name.endswith("[uvloop]" if on_uvloop() else "[asyncio]")


async def test_other_test_runs_on_asyncio_alone(request: pytest.FixtureRequest) -> None:
    assert set(pytest_asyncio_loop_factories(request.node)) == {"asyncio"}
    assert not on_uvloop()
