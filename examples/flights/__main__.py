"""python examples/flights [--limit ROWS] [--csv FILE]"""

import argparse
import asyncio
from pathlib import Path

from dataset import lines, names_of_carriers
from demonstration import Demonstration
from report import print_report

_DESCRIPTION = """\
Publishes the flights of 2013 from New York City, one record each, while two groups read them, and
kills the broker half-way. Exits with 0 only if nothing was lost or duplicated and the figures that
were read are those of the CSV.
"""


def main() -> int:
    """Run the example; its exit code."""
    parser = argparse.ArgumentParser(prog="flights", description=_DESCRIPTION)
    parser.add_argument("--limit", type=int, metavar="ROWS", help="only so many rows")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a CSV instead of the data set")
    arguments = parser.parse_args()
    head, *rows = lines(arguments.csv)
    outcome = asyncio.run(Demonstration(head, rows[: arguments.limit]).run())
    print_report(outcome, names_of_carriers())
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
