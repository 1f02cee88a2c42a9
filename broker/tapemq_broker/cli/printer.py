"""Writes lines to standard output in large pieces, yet without delay."""

import asyncio
import sys
from typing import Final

from tapemq_broker.cli.byte_writer import write_all

_PIECE_BYTES: Final = 65_536


class Printer:
    """Collects lines; writes them when there are many, or when the event loop gets its turn.

    All that it does raises OSError when something could not be written: BrokenPipeError if the
    reader of the output has gone.
    """

    def __init__(self) -> None:
        self._descriptor = sys.stdout.fileno()
        self._lines: list[bytes] = []
        self._size_bytes = 0
        self.has_printed = False
        """Whether there was a line."""
        self._error: OSError | None = None
        self._loop = asyncio.get_running_loop()
        self._soon: asyncio.Handle | None = None
        self._writing: asyncio.Task[None] | None = None

    async def print(self, line: bytes) -> None:
        """Write the line, end included, soon."""
        if self._error:
            raise self._error
        self.has_printed = True
        self._lines.append(line)
        self._size_bytes += len(line)
        if self._soon is None and self._writing is None:
            self._soon = self._loop.call_soon(self._begin)
        if self._size_bytes >= _PIECE_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Write what was collected."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._writing is not None:
            await self._writing
        if self._error:
            raise self._error
        await self._write()

    def _begin(self) -> None:
        self._soon = None
        self._writing = asyncio.create_task(self._write_later())

    async def _write_later(self) -> None:
        try:
            await self._write()
        except OSError as error:
            # Nobody would see it here; the next line raises it, or the end.
            self._error = error
        finally:
            self._writing = None

    async def _write(self) -> None:
        while self._lines:
            data = b"".join(self._lines)
            self._lines.clear()
            self._size_bytes = 0
            await self._put(data)

    async def _put(self, data: bytes) -> None:
        try:
            await write_all(self._descriptor, data)
        except OSError as error:
            # With the same number it is of the same class.
            raise OSError(error.errno, error.strerror, "standard output") from None
