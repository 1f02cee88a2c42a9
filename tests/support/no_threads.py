"""A system that has no more threads for this process."""

import threading


def none_left(thread: threading.Thread) -> None:
    """Put in the place of ``threading.Thread.start``."""
    raise RuntimeError("can't start new thread")
