"""The BOOT file: the number of the last start, once more beside the catalog.

Ids of producers, leases and assignments begin with it, so none may be given twice. A catalog that
was repaired, or restored from a copy, may have forgotten the last starts; this file has not.

File: "tapemq boot <number> <CRC-32 of that: 8 digits>".
"""

import re
from typing import Final, NamedTuple

from tapemq.batch import checksum
from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.errors import NO_FILES_ERRORS

BOOT_PATH: Final = "BOOT"

_LINE: Final = re.compile(rb"(tapemq boot (\d{1,10})) ([0-9a-f]{8})\n")


class NotedBoot(NamedTuple):
    """What the file says; 0 if there is none, or nothing can be made of it, and then why."""

    boot_epoch: int
    complaint: str | None = None


def note_boot_epoch(disk: Disk, boot_epoch: int) -> None:
    """Note the number of a start, durably. Raises OSError."""
    line = b"tapemq boot %d" % boot_epoch
    disk.replace_file(BOOT_PATH, line + b" %08x\n" % checksum(line))


def look_at_boot_epoch(disk: Disk) -> NotedBoot:
    """The number of the last start that was noted. A damaged file is no reason not to start.

    Raises OSError where no more files can be opened: then it may say more than the catalog.
    """
    try:
        data = disk.read_file(BOOT_PATH)
    except OSError as error:
        if error.errno in NO_FILES_ERRORS:
            raise
        return NotedBoot(0, f"the file {BOOT_PATH} cannot be read: {error}")
    if data is None:
        return NotedBoot(0)
    known = _LINE.fullmatch(data)
    if known and int(known[3], 16) == checksum(known[1]):
        return NotedBoot(int(known[2]))
    return NotedBoot(0, f"the file {BOOT_PATH} is damaged: it says {data[:80]!r}")
