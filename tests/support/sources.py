"""Where the repository's source files are."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("client", "broker")
EVERYTHING = (*PRODUCT, "tests", "benchmarks", "examples")


def python_files(*folders: str) -> Iterator[tuple[str, str]]:
    """The path, relative to the root, and the text of every Python file in the folders."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def complain(complaints: list[str]) -> None:
    """Fail with one line for each complaint, if there is any."""
    assert not complaints, "\n" + "\n".join(complaints)
