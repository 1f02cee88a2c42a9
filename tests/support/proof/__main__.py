"""`make prove`: run the tests of the promises, keep what they measured, and write the report.

Without arguments the short forms run; `make prove ARGS=--long` runs the long ones (hours), and
`ARGS=--only-render` none. `make fuzz` and `make mutate` file their figures in the same place when
`TEST_EVIDENCE=docs/evidence` says so.
"""

import argparse
import os
import subprocess
import sys

from tests.support.proof.report import DOCUMENT, EVIDENCE, render
from tests.support.sources import ROOT

_TESTS = (
    # Whether the report is what it should be can be said when it is written.
    "--deselect=tests/proof/test_report.py::test_document_is_what_the_evidence_says",
    "tests/proof",
    "tests/faults",
    "tests/overload",
    "tests/simulation",
    "tests/golden",
    "tests/fuzz",
)


def main() -> int:
    """Returns pytest's exit code: the report is written even so."""
    parser = argparse.ArgumentParser(prog="make prove")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--long", action="store_true", help="the long forms")
    forms.add_argument("--only-render", action="store_true", help="from what is there")
    chosen = parser.parse_args()
    code = 0 if chosen.only_render else _run(is_long=chosen.long)
    DOCUMENT.write_text(render())
    print(f"prove: {DOCUMENT.relative_to(ROOT)} is written", file=sys.stderr)
    return code


def _run(*, is_long: bool) -> int:
    env = os.environ | {"TEST_EVIDENCE": str(EVIDENCE)} | ({"TEST_LONG": "1"} if is_long else {})
    command = [sys.executable, "-m", "pytest", "-s" if is_long else "-q", *_TESTS]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
