"""What can go wrong in the storage engine. Each text names what, where, and what to do."""

import errno
from shlex import quote
from typing import Final

NO_FILES_ERRORS: Final = (errno.EMFILE, errno.ENFILE)
"""Nothing more can be opened, by this process or by any."""


def repair_command(log: str, data_dir: str = "") -> str:
    """The command that repairs a log, up to the choice of the mode.

    Without ``data_dir`` the log is named within it; with it the command works from anywhere.
    """
    return f"tapemq repair {quote(data_dir) + '/' if data_dir else ''}{log}"


def pasteable(text: str, log: str, data_dir: str) -> str:
    """The text with the command that repairs the log as it can be typed anywhere."""
    return text.replace(repair_command(log), repair_command(log, data_dir))


class StorageError(Exception):
    """Base of the errors of storage."""


class DataDirectoryError(StorageError):
    """The data directory cannot be used: locked, unknown format, or not ours."""


class LogFull(StorageError):
    """The disk or a quota is full. Nothing was written; the append may be tried again later."""


class NoFiles(LogFull):
    """The process or the system can open no more files just now; nothing was written either."""


class LogFailed(StorageError):
    """A write failed and the log's end is unknown. The process must stop and recover."""


class SyncFailed(OSError):
    """A sync of a directory failed: which names are on the disk is not known, and a second sync
    could seem to succeed. The process must stop and recover.
    """


class OffsetOutOfRange(StorageError):
    """No record has this offset: removed by retention, or not written (or not visible) yet.

    ``first_offset`` and ``next_offset`` bound what can be read.
    """

    def __init__(self, offset: int, first_offset: int, next_offset: int) -> None:
        super().__init__(
            f"offset {offset} is not in the log: it holds {first_offset} up to, "
            f"but not including, {next_offset}"
        )
        self.offset = offset
        self.first_offset = first_offset
        self.next_offset = next_offset


class CorruptLog(StorageError):
    """Bytes at rest are not what was written: rot, never served and never skipped.

    ``segment`` is the path of the file, ``position`` the byte in it where the bad batch starts;
    offsets ``from_offset`` up to (not including) ``to_offset`` cannot be read.
    """

    def __init__(
        self, segment: str, position: int, from_offset: int, to_offset: int, reason: str
    ) -> None:
        super().__init__(
            f"{segment} is damaged at byte {position}: {reason}. Offsets {from_offset} up to "
            f"{to_offset} cannot be read; restore the file from a copy, or stop the broker and "
            "run: tapemq verify, which says how to repair it"
        )
        self.segment = segment
        self.position = position
        self.from_offset = from_offset
        self.to_offset = to_offset
        self.reason = reason


class LogRefused(StorageError):
    """Recovery will not open a log: going on would lose or invent acknowledged records.

    ``row`` is the label of the case in the recovery table, the rest as in CorruptLog; ``advice``
    is the command that lets an operator decide.
    """

    def __init__(
        self,
        row: str,
        segment: str,
        position: int,
        from_offset: int,
        to_offset: int,
        reason: str,
        advice: str,
    ) -> None:
        super().__init__(
            f"{segment} at byte {position}, offsets {from_offset} up to {to_offset}: {reason} "
            f"[{row}]. {advice}"
        )
        self.row = row
        self.segment = segment
        self.position = position
        self.from_offset = from_offset
        self.to_offset = to_offset
        self.reason = reason
        self.advice = advice

    def told(self, data_dir: str) -> str:
        """The text for who can type commands beside the data directory."""
        segment = self.segment
        log = segment.rpartition("/")[0] if segment.endswith(".log") else segment
        return pasteable(str(self), log, data_dir)


def not_understood(
    segment: str, position: int, from_offset: int, to_offset: int, reason: str
) -> LogRefused:
    """The error for sound bytes of which this version cannot make sense: no row's, no damage.

    ``segment`` may be the directory of the log, where what is wrong is in none of its files alone.
    """
    return LogRefused(
        "NOT_UNDERSTOOD",
        segment,
        position,
        from_offset,
        to_offset,
        f"the bytes are those that were written, but they make no sense here: {reason}",
        "Start the version that wrote them, or restore the directory from a copy",
    )
