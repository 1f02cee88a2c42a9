"""A pipe whose ends a test may close."""

import os
from collections.abc import Iterator

import pytest


class Pipe:
    """Descriptors of both ends."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self._open = {self.reader, self.writer}

    def close(self, *ends: int) -> None:
        """Close these ends; without any, what is still open."""
        for end in ends or tuple(self._open):
            self._open.remove(end)
            os.close(end)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe that is closed at the end."""
    found = Pipe()
    yield found
    found.close()
