"""Exit codes of `tapemq worker`: those of the other commands. Scripts rely on them."""

from enum import IntEnum


class Exit(IntEnum):
    """How a worker ended. A second signal ends it with 128 and the signal's number."""

    OK = 0
    """It was told to stop, and did."""
    FAILED = 1
    """A queue cannot be read any more, or stopping took too long."""
    USAGE = 2
    """The command line is wrong, or the application cannot be loaded."""
    UNREACHABLE = 3
    """The broker could not be reached at the start."""
