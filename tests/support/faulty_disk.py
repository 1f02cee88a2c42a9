"""A disk in memory whose calls fail when a test says so, and which notes what is synced."""

from collections.abc import Callable, Sequence

from tapemq_broker.storage.disk import Buffer, File
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile, Post

Fail = Callable[[str, str], None]
"""Called with an operation and a path before each call; raises to make it fail."""


class FaultyFile(MemoryFile):
    """Writes a part before it fails."""

    disk: "FaultyDisk"

    def append(self, buffers: Sequence[Buffer]) -> None:
        try:
            self.disk.fail("append", self.path)
        except BaseException:
            super().append([b"".join(buffers)[:100]])
            raise
        super().append(buffers)

    def read_nowait(self, position: int, size_bytes: int) -> bytes | None:
        self.disk.reads.append((self.path, position, size_bytes))
        return None if self.disk.is_cold else super().read_nowait(position, size_bytes)

    def truncate(self, size_bytes: int) -> None:
        self.disk.fail("truncate", self.path)
        super().truncate(size_bytes)


class FaultyDisk(MemoryDisk):
    """``is_cold``: nothing is in the page cache."""

    def __init__(self, *, post: Post | None = None) -> None:
        super().__init__(post=post)
        self.fail: Fail = lambda operation, path: None
        self.is_cold = False
        self.opened: list[str] = []
        self.synced: list[str] = []
        self.reads: list[tuple[str, int, int]] = []

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        self.fail("create" if create else "open", path)
        inner = super().open(path, create=create)
        self.opened.append(path)
        file = FaultyFile(path, inner.content, inner.new_in)
        file.disk = self
        return file

    def sync(self, files: Sequence[File], done: Callable[[Exception | None], None]) -> None:
        self.synced += [file.path for file in files]
        super().sync(files, done)

    def sync_now(self, file: File) -> None:
        self.fail("sync_now", file.path)
        self.synced.append(file.path)
        super().sync_now(file)

    def sync_directory(self, path: str) -> None:
        self.fail("sync_directory", path)
        super().sync_directory(path)

    def list_directory(self, path: str) -> list[str]:
        self.fail("list_directory", path)
        return super().list_directory(path)

    def make_directory(self, path: str) -> None:
        self.fail("make_directory", path)
        super().make_directory(path)

    def replace_file(self, path: str, data: bytes, *, durable: bool = True) -> None:
        self.fail("replace_file", path)
        super().replace_file(path, data, durable=durable)

    def rename(self, source: str, target: str) -> None:
        self.fail("rename", source)
        super().rename(source, target)

    def remove(self, path: str) -> None:
        self.fail("remove", path)
        super().remove(path)


def failing(operation: str, number: int, *, path: str = "") -> Fail:
    """Make one kind of call fail with an errno, where the path contains ``path``."""

    def fail(called: str, called_path: str) -> None:
        if called == operation and path in called_path:
            raise OSError(number, f"{operation} fails", called_path)

    return fail
