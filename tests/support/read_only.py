"""A directory on a file system that is mounted read-only, or without permissions: a test cannot
mount, and root misses no permissions.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def make_read_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this process can change nothing in the directory."""

    def is_within(path: object) -> bool:
        return isinstance(path, str) and Path(path).is_relative_to(root)

    def refused(path: str) -> OSError:
        return OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    def refusing(call: Callable[..., Any]) -> Callable[..., Any]:
        def change(path: str, *arguments: Any, **options: Any) -> Any:
            if is_within(path):
                raise refused(path)
            return call(path, *arguments, **options)

        return change

    original = os.open

    def open_file(path: str, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & _TO_WRITE and is_within(path):
            raise refused(path)
        return original(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", open_file)
    for name in ("mkdir", "replace", "unlink", "rmdir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))


def refuse_to_list(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the directory, and what is in it, cannot be listed."""
    original = os.scandir

    def scandir(asked: str) -> Any:
        if Path(asked).is_relative_to(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), asked)
        return original(asked)

    monkeypatch.setattr(os, "scandir", scandir)
