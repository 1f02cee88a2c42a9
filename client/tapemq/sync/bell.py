"""Wakes a thread that waits for a socket."""

import os
from contextlib import suppress


class Bell:
    """A pipe that the thread waits for, too. Used under the client's lock."""

    def __init__(self) -> None:
        self._heard, self._pulled = os.pipe()
        os.set_blocking(self._heard, False)
        os.set_blocking(self._pulled, False)
        self._is_closed = False

    def fileno(self) -> int:
        """What is readable once the bell was rung."""
        return self._heard

    def ring(self) -> None:
        """Wake whoever waits, or the next one who does."""
        if not self._is_closed:
            with suppress(BlockingIOError):  # it was rung very often, which is as good
                os.write(self._pulled, b"\0")

    def hush(self) -> None:
        """It was heard."""
        with suppress(BlockingIOError):
            os.read(self._heard, 4096)

    def close(self) -> None:
        """Nobody listens any more."""
        if not self._is_closed:
            self._is_closed = True
            os.close(self._heard)
            os.close(self._pulled)
