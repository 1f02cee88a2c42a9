"""Exit codes of the `tapemq` command. Scripts rely on them; they do not change."""

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended. `tapemq serve` uses the codes from 69 on (as sysexits.h names them)."""

    OK = 0
    FAILED = 1
    """The broker refused it, or it could not be done."""
    USAGE = 2
    """The command line is wrong."""
    UNREACHABLE = 3
    """The broker could not be reached, or the connection was lost for good."""
    DAMAGE = 4
    """`verify` found damage."""
    CANNOT_LISTEN = 69
    """The address cannot be listened on."""
    STORAGE_FAILED = 70
    """The disk failed: nothing more can be promised, so the broker ended."""
    DATA_REFUSED = 73
    """The data directory is locked, damaged, full, or of another version."""
    BAD_CONFIGURATION = 78
    """A setting has a value that it cannot have."""
    INTERRUPTED = 130
    """Ctrl-C."""
    TERMINATED = 143
    """SIGTERM; of `serve` a second one, before the broker had stopped."""
