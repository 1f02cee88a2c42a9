"""A disk that does not sync says so at once, and only when it was asked to run ``done``."""

from collections.abc import Callable
from pathlib import Path

from tapemq_broker.storage.unsynced_disk import UnsyncedDisk


def test_done_runs_where_it_was_told_to_and_not_inside_the_call(tmp_path: Path) -> None:
    posted: list[Callable[[], None]] = []
    disk = UnsyncedDisk(str(tmp_path), post=posted.append)
    file = disk.open("a", create=True)
    file.append([b"bytes"])
    results: list[Exception | None] = []
    disk.sync([file], results.append)
    assert results == []
    posted.pop()()
    assert results == [None]
    disk.close()
