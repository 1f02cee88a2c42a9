"""The directory of one log, and what is in it."""

from contextlib import closing
from typing import NamedTuple

from tapemq.batch import LogId
from tapemq_broker.storage.disk import Disk, File
from tapemq_broker.storage.errors import NO_FILES_ERRORS
from tapemq_broker.storage.index import Index, Seal
from tapemq_broker.storage.paths import base_offsets, index_path, segment_path


class LogFiles(NamedTuple):
    """Where a log lies, and which log should be there."""

    disk: Disk
    directory: str
    log_id: LogId

    def path(self, name: object) -> str:
        """The path of a file in the directory."""
        return f"{self.directory}/{name}"

    def segment_path(self, base: int) -> str:
        """The path of a segment."""
        return segment_path(self.directory, base)

    def names(self) -> list[str]:
        """All names in the directory; none if it does not exist."""
        return self.disk.list_directory(self.directory)

    def bases(self) -> list[int]:
        """The base offsets of the segments, ascending."""
        return base_offsets(self.names(), ".log")

    def open(self, base: int) -> "closing[File]":
        """Open a segment for the length of a ``with`` block."""
        return closing(self.disk.open(self.segment_path(base)))

    def seal(self, base: int) -> Seal | None:
        """What the index of a segment proves; None if there is none, or not a valid one.

        Raises OSError where no more files can be opened: then it may well be there.
        """
        try:
            data = self.disk.read_file(index_path(self.directory, base))
        except OSError as error:
            if error.errno in NO_FILES_ERRORS:
                raise
            return None  # It is a cache: without it, the segment is scanned.
        decoded = Index.decode(data) if data is not None else None
        if decoded is None or decoded[0][:2] != (self.log_id, base):
            return None
        return decoded[0]
