import asyncio
import json
import logging
import sys
from typing import Any

import pytest

from tapemq_broker.admin import launcher
from tapemq_broker.admin.launcher import Launcher
from tapemq_broker.admin.listener import listen
from tests.support.status import status


async def get(port: int, path: str) -> tuple[int, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), json.loads(body)


def start() -> tuple[Launcher, int]:
    listener = listen("127.0.0.1", 0)
    side = Launcher(status, listener)
    side.start()
    return side, listener.getsockname()[1]


async def test_comes_up_beside_the_server_and_goes_down() -> None:
    side, port = start()
    assert await get(port, "/readyz") == (200, {"status": "ready"})
    await side.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_is_not_ready_from_the_moment_of_draining() -> None:
    side, port = start()
    side.draining = True
    reasons = [{"reason": "draining", "text": "the broker is stopping"}]
    assert await get(port, "/readyz") == (503, {"status": "not ready", "reasons": reasons})
    assert await get(port, "/healthz") == (200, {"status": "ok"})
    await side.stop()


async def test_starting_it_again_changes_nothing() -> None:
    side, port = start()
    side.start()
    assert (await get(port, "/healthz"))[0] == 200
    side.start()
    await side.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_can_be_stopped_before_it_has_come_up() -> None:
    side, port = start()
    await side.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_failure_is_logged_and_the_broker_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, launcher._SERVICE, None)
    with caplog.at_level(logging.ERROR):
        side, _ = start()
        await side.stop()
    side._listener.close()
    assert [record.message for record in caplog.records] == ["the HTTP side could not be started"]
