"""A look at all of a SQLite file, beside those who use it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Final
from urllib.parse import quote

from tapemq_broker.storage.schedules.index import IndexDamaged

_STEPS: Final = 10_000
"""Of SQLite's machine, between two looks at whether to go on: some milliseconds."""


class Inspection:
    """Whether all is in order, and whether each table and its indexes say the same.

    Rows have checksums, but nobody meets a row that its table has, and its index has elsewhere.
    With a million rows it takes seconds, so it has a connection of its own.
    """

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._given_up: Final = Event()

    def run(self) -> None:
        """Look; in any thread. Raises IndexDamaged, and OSError if the disk fails."""
        with errors_of(self._path):
            try:
                found = self._look()
            except sqlite3.DatabaseError:
                if not self._given_up.is_set():
                    raise
            else:
                if found != "ok" and not self._given_up.is_set():
                    raise IndexDamaged(f"{self._path}: {found}")

    def _look(self) -> str:
        # A name may be no text; and one that begins with two slashes is a host's without "//".
        url = f"file://{quote(os.fsencode(self._path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(url, uri=True)) as db:
            # An interrupt() would be lost that comes before the statement begins.
            db.set_progress_handler(self._given_up.is_set, _STEPS)
            found: str = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        return found

    def give_up(self) -> None:
        """The file goes, or is closed: end soon, and find nothing."""
        self._given_up.set()


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Raises IndexDamaged, or OSError where only the disk is at fault, for what SQLite raises."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if is_passing(error):
            raise OSError(f"{path}: {error}") from error
        raise IndexDamaged(f"{path}: {error}") from error
    except UnicodeDecodeError as error:  # a message with a name that has changed in the file
        raise IndexDamaged(f"{path}: {error}") from error


def is_passing(error: sqlite3.DatabaseError) -> bool:
    """Whether the disk is at fault (full, most often), and not what is in the file."""
    # A text that is no UTF-8 is an OperationalError, too, and has no name.
    name = getattr(error, "sqlite_errorname", "")
    return isinstance(error, sqlite3.OperationalError) and name.startswith(
        ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_CANTOPEN")
    )
