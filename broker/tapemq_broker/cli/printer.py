"""Writes lines to standard output in large pieces, yet without delay."""

import asyncio
import sys
from typing import Final

_PIECE_BYTES: Final = 65_536


class Printer:
    """Collects lines; writes them when there are many, or when the event loop gets its turn.

    `print` raises BrokenPipeError once the reader of the output has gone.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._size_bytes = 0
        self.has_printed = False
        """Whether there was a line."""
        self._error: OSError | None = None
        self._loop = asyncio.get_running_loop()

    def print(self, line: bytes) -> None:
        """Write the line, end included, soon."""
        if self._error:
            raise self._error
        if not self._lines:
            self._loop.call_soon(self._write_later)
        self.has_printed = True
        self._lines.append(line)
        self._size_bytes += len(line)
        if self._size_bytes >= _PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was collected."""
        data = b"".join(self._lines)
        self._lines.clear()
        self._size_bytes = 0
        if data:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    def _write_later(self) -> None:
        try:
            self.flush()
        except OSError as error:
            # Nobody would see it here; the next line raises it.
            self._error = error
