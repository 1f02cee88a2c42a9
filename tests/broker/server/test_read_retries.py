import asyncio
import errno
from collections.abc import Coroutine
from typing import Any

import pytest

from tapemq_broker.server import read_retries
from tapemq_broker.server.clock import RealClock
from tapemq_broker.server.read_retries import ReadRetries
from tapemq_broker.server.shortage import Shortage
from tapemq_broker.storage.errors import CorruptLog


async def test_only_what_passes_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(read_retries, "_RETRY_S", 0.0)
    tried, tasks = list[str](), list[asyncio.Task[None]]()

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.get_running_loop().create_task(work))

    retries = ReadRetries(Shortage(RealClock()), spawn)
    for error in (OSError(errno.EIO, "broken"), CorruptLog("a segment", 7, 3, 9, "damaged")):
        assert not retries.takes(error, lambda: tried.append("damage"))
    for number in (errno.EMFILE, errno.ENFILE):
        assert retries.takes(OSError(number, "too many files"), lambda: tried.append("files"))
    assert tried == []
    await asyncio.gather(*tasks)
    assert tried == ["files", "files"]
    assert len(caplog.messages) == 1
