"""What became of the mutants, kept as JSON beside the other figures."""

import json
from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = "mutation.json"


class Result(NamedTuple):
    """One module."""

    path: str
    mutants: int
    killed: int
    survivors: list[str]
    day: str
    seconds: float


def read_results(directory: Path) -> dict[str, Result]:
    """By path; empty if there are none."""
    path = directory / FILE
    rows = json.loads(path.read_text()) if path.exists() else []
    return {row["path"]: Result(**row) for row in rows}


def keep_result(directory: Path, result: Result) -> None:
    """Put a result in the place of an older one of its module."""
    directory.mkdir(parents=True, exist_ok=True)
    results = read_results(directory) | {result.path: result}
    rows = ",\n".join(json.dumps(results[path]._asdict()) for path in sorted(results))
    (directory / FILE).write_text(f"[{rows}]\n")
