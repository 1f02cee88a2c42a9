"""Reads that fail for a reason that passes: they are tried again, and nobody is told."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from tapemq_broker.server.shortage import Shortage

_RETRY_S: Final = 1.0


class ReadRetries:
    """Where the process can open no more files, what is to be read is as sound as before."""

    def __init__(
        self, shortage: Shortage, spawn: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._shortage: Final = shortage
        self._spawn: Final = spawn

    def takes(self, error: Exception, again: Callable[[], None]) -> bool:
        """Whether an error passes: then ``again`` is called later."""
        if self._shortage.not_read(error) is None:
            return False
        self._spawn(self._later(again))
        return True

    async def _later(self, again: Callable[[], None]) -> None:
        await asyncio.sleep(_RETRY_S)
        again()
