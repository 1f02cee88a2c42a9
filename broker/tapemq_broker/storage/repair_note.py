"""The note of a repair that is under way: every offset below the one in it was given out once.

A repair removes files from which that could be told. Should it be interrupted, the note sees to it
that the log is refused until the repair has been run again.
"""

from typing import Final

from tapemq_broker.storage.log_files import LogFiles

REPAIR_NOTE: Final = "repair.note"


def write_repair_note(files: LogFiles, known_upto: int) -> None:
    """Note, durably, that the log must go on at ``known_upto`` or later."""
    files.disk.make_directory(files.directory)
    files.disk.replace_file(files.path(REPAIR_NOTE), f"{known_upto}\n".encode())


def read_repair_note(files: LogFiles) -> int:
    """The offset in the note; 0 if there is none."""
    text = (files.disk.read_file(files.path(REPAIR_NOTE)) or b"").strip()
    return int(text) if text.isdigit() else 0


def remove_repair_note(files: LogFiles) -> None:
    """The repair is done."""
    files.disk.remove(files.path(REPAIR_NOTE))
    files.disk.sync_directory(files.directory)
