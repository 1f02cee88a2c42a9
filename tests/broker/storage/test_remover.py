"""Removing files in the background: in order, and no further in a directory where it failed."""

import errno
import logging
import threading

import pytest

from tapemq_broker.storage.errors import SyncFailed
from tapemq_broker.storage.remover import Remover


class Shelf:
    """Directories that note what is done to them; ``broken`` can be removed or synced no more,
    ``gone`` is renamed as soon as a file in it is removed, at ``odd`` there is a mistake, and
    ``unopened`` cannot be opened just now; ``busy`` ones are removed at the second try."""

    def __init__(self) -> None:
        self.unopened = ""
        self.calls: list[str] = []
        self.broken = ""
        self.gone = ""
        self.odd = ""
        self.busy: list[str] = []

    def size_bytes(self, path: str) -> int | None:
        return None if "nothing" in path or path in self.calls else 1

    def remove(self, path: str) -> None:
        if path in self.busy:
            self.busy.remove(path)
            raise OSError(errno.EMFILE, "Too many open files", path)
        if path == self.broken:
            raise OSError(errno.EPERM, "not permitted", path)
        if path == self.odd:
            raise ValueError("a mistake")
        self.calls.append(path)

    def sync_directory(self, path: str) -> None:
        if path == self.broken:
            raise SyncFailed(errno.EIO, "Input/output error", path)
        if path == self.unopened:
            raise OSError(errno.EMFILE, "Too many open files", path)
        if path == self.gone:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        self.calls.append(f"sync {path}")


def test_each_removal_is_durable_before_the_next() -> None:
    shelf = Shelf()
    remover = Remover(shelf)
    remover.remove(["a/1", "a/nothing", "b/1"])
    remover.remove(["a/2"])
    remover.close()
    assert shelf.calls == ["a/1", "sync a", "b/1", "sync b", "a/2", "sync a"]
    assert remover.failed is None


def test_nothing_behind_a_file_that_stays_is_removed(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf()
    shelf.broken = "a/1"
    remover = Remover(shelf)
    with caplog.at_level(logging.ERROR):
        remover.remove(["a/1", "a/2", "b/1"])
        remover.remove(["a/3"])
        remover.close()
    assert shelf.calls == ["b/1", "sync b"]
    assert remover.failed is None
    assert [record.message for record in caplog.records] == [
        "a/1 is not removed before the next start: [Errno 1] not permitted: 'a/1'"
    ]


def test_a_failed_sync_is_kept_for_who_asks() -> None:
    shelf = Shelf()
    shelf.broken = "a"
    remover = Remover(shelf)
    remover.remove(["a/1", "a/2"])
    remover.close()
    assert shelf.calls == ["a/1"]
    assert remover.failed is not None
    assert remover.failed.errno == errno.EIO


def test_what_found_no_file_to_be_opened_is_removed_later_in_the_same_order() -> None:
    """It would grow until the next start, by all that retention lets go of."""
    shelf = Shelf()
    shelf.unopened = "a"
    remover = Remover(shelf)
    for path in ("a/1", "a/2", "b/1"):
        remover._remove([path])
    assert shelf.calls == ["a/1", "b/1", "sync b"]
    shelf.unopened = ""
    remover._remove(["b/2", "a/3"])
    remover.close()
    expected = ["sync a", "a/2", "sync a", "b/2", "sync b", "a/3", "sync a"]
    assert shelf.calls == ["a/1", "b/1", "sync b", *expected]
    assert remover.failed is None


def test_nothing_is_removed_before_what_has_to_wait_for_a_moment() -> None:
    """A log without a segment between two others would be refused at the next start."""
    shelf = Shelf()
    shelf.busy = ["a/1"]
    remover = Remover(shelf)
    remover.remove(["a/1", "a/2", "b/1"])
    remover.remove(["a/3"])
    remover.close()
    removed = [call for call in shelf.calls if not call.startswith("sync")]
    assert removed == ["b/1", "a/1", "a/2", "a/3"]


def test_one_removal_is_under_way_at_a_time() -> None:
    shelf, order = Shelf(), []
    other = threading.Event()

    def remove(path: str) -> None:
        if path == "a/1":
            other.wait(0.05)  # whoever does not wait for this one comes first
        else:
            other.set()
        order.append(path)

    shelf.remove = remove  # type: ignore[method-assign]
    remover = Remover(shelf)
    remover.remove(["a/1"])
    remover.remove(["a/2"])
    remover.close()
    assert order == ["a/1", "a/2"]


def test_a_directory_that_goes_with_its_topic_is_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The topic was deleted in between: nothing is left of it at the next start."""
    shelf = Shelf()
    shelf.gone = "a"
    remover = Remover(shelf)
    remover.remove(["a/1", "b/1"])
    remover.close()
    assert shelf.calls == ["a/1", "b/1", "sync b"]
    assert remover.failed is None
    assert caplog.records == []


def test_a_mistake_is_told_and_ends_the_removals_of_that_directory(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shelf = Shelf()
    shelf.odd = "a/1"
    remover = Remover(shelf)
    remover.remove(["a/1", "a/2", "b/1"])
    remover.remove(["a/3"])
    remover.close()
    assert shelf.calls == ["b/1", "sync b"]
    assert remover.failed is None
    assert [record.message for record in caplog.records] == [
        "a/1 is not removed before the next start: a mistake"
    ]
    assert "ValueError: a mistake" in caplog.text
