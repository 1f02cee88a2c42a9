"""What test runs have measured: JSON lines in files, one line for a test and its form.

Nothing is written unless `TEST_EVIDENCE` names a directory. The report of what is promised, and
how well that is tested (`docs/reliability.md`), takes its numbers from these files alone.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.machine import machine

Figure = int | float | str


class Line(NamedTuple):
    """What one run of a test came to. ``form`` is "long" or "short"."""

    test: str
    form: str
    outcome: str
    day: str
    seconds: float
    promises: tuple[str, ...]
    figures: dict[str, Figure]
    machine: dict[str, Figure]

    @property
    def key(self) -> tuple[str, str]:
        """A later run with the same key replaces an earlier one."""
        return self.test, self.form


class Evidence:
    """The figures of the test that is running; the fixture `evidence` writes them at its end."""

    def __init__(self) -> None:
        self.promises: Final[list[str]] = []
        self.figures: Final[dict[str, Figure]] = {}
        self._started_s = time.monotonic()

    def note(self, *promises: str, **figures: Figure) -> None:
        """Add figures, and promises ("P1") that they speak for. A figure given anew replaces."""
        self.promises.extend(name for name in promises if name not in self.promises)
        self.figures.update(figures)

    def line(self, test: str, outcome: str, directory: Path) -> Line:
        """All that was noted, as it is written down."""
        return Line(
            test=test,
            form="long" if os.environ.get("TEST_LONG") else "short",
            outcome=outcome,
            day=time.strftime("%Y-%m-%d", time.gmtime()),
            seconds=round(time.monotonic() - self._started_s, 1),
            promises=tuple(self.promises),
            figures=dict(self.figures),
            machine=machine(directory),
        )


def evidence_directory() -> Path | None:
    """Where to write, if anywhere."""
    name = os.environ.get("TEST_EVIDENCE")
    return Path(name) if name else None


def write(directory: Path, line: Line) -> None:
    """Put the line into the file of its test module, in place of an older one of its key."""
    directory.mkdir(parents=True, exist_ok=True)
    module = line.test.partition("::")[0].removesuffix(".py")
    path = directory / f"{module.replace('/', '.')}.jsonl"
    lines = {old.key: old for old in read_file(path)} if path.exists() else {}
    lines[line.key] = line
    texts = [json.dumps(lines[key]._asdict(), sort_keys=True) + "\n" for key in sorted(lines)]
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(texts))
    temporary.replace(path)


def read_file(path: Path) -> Iterator[Line]:
    """The lines of one file."""
    for text in path.read_text().splitlines():
        fields: dict[str, Any] = json.loads(text)
        yield Line(**fields | {"promises": tuple(fields["promises"])})


def read_all(directory: Path) -> list[Line]:
    """The lines of all files, in the order of their tests' names."""
    return [line for path in sorted(directory.glob("*.jsonl")) for line in read_file(path)]
