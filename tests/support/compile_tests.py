"""Have pytest compile all tests, on all cores: python -m tests.support.compile_tests

It rewrites their assertions, which takes a third of a minute of CPU, and keeps the result. Of
several workers that begin without it, each would do all of it.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.sources import ROOT

_COLLECT: Final = [sys.executable, "-m", "pytest", "--collect-only", "--quiet"]


def shares(sizes_bytes: dict[Path, int], count: int) -> list[list[Path]]:
    """The files in so many lists, of about the same size altogether; none is empty."""
    lists: list[list[Path]] = [[] for _ in range(count)]
    totals = [0] * count
    for path in sorted(sizes_bytes, key=sizes_bytes.__getitem__, reverse=True):
        least = totals.index(min(totals))
        lists[least].append(path)
        totals[least] += sizes_bytes[path]
    return [paths for paths in lists if paths]


def compile_all(paths: Sequence[Path], processes: int) -> None:
    """Compile these. A test that cannot be compiled says so when it is run."""
    sizes_bytes = {path: path.stat().st_size for path in paths}
    running = [
        subprocess.Popen([*_COLLECT, *map(str, share)], stdout=subprocess.DEVNULL, cwd=ROOT)
        for share in shares(sizes_bytes, processes)
    ]
    for process in running:
        process.wait()


if __name__ == "__main__":
    compile_all(sorted((ROOT / "tests").rglob("test_*.py")), os.cpu_count() or 1)
