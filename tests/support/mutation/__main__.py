"""`make mutate`: how many small wrongs in the code that must not lose data the tests notice.

Arguments choose modules: `make mutate ARGS="recovery torn"`; without any, all of the table.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.support.mutation.mutants import Mutant, mutants
from tests.support.mutation.results import Result, keep_result
from tests.support.mutation.runner import survives_import, try_bodies
from tests.support.mutation.targets import TARGETS, Target
from tests.support.sources import ROOT

PROGRESS_EVERY = 10


def main(names: list[str]) -> int:
    """Run; 2 if a name is not known."""
    chosen = [target for target in TARGETS if not names or Path(target.path).stem in names]
    if not chosen:
        known = " ".join(Path(target.path).stem for target in TARGETS)
        print(f"mutate: no such module; there are: {known}", file=sys.stderr)
        return 2
    directory = Path(os.environ.get("TEST_EVIDENCE", ROOT / "build" / "evidence"))
    for target in chosen:
        keep_result(directory, mutate(target))
    return 0


def mutate(target: Target) -> Result:
    """Try every mutant of a module."""
    started_s = time.monotonic()
    tries = list(mutants((ROOT / target.path).read_text()))
    in_bodies = [one for one in tries if one[0].is_in_body and not target.runs_at_import]
    at_import = [one for one in tries if one not in in_bodies]
    survivors: list[str] = []
    with tempfile.TemporaryFile("w+") as file:

        def report(mutant: Mutant, has_survived: bool) -> None:
            file.write("x" if has_survived else ".")
            file.flush()
            _tell(target, mutant, has_survived, file.tell(), len(tries))

        if in_bodies and not try_bodies(target, in_bodies, report):
            raise RuntimeError(f"the tests of {target.path} could not be run")
        limit = 60.0 + time.monotonic() - started_s if at_import else 0.0
        for mutant, tree in at_import:
            report(mutant, survives_import(target, tree, min(limit, 300.0)))
        file.seek(0)
        marks = file.read()
    for mark, (mutant, _) in zip(marks, in_bodies + at_import, strict=True):
        if mark == "x":
            survivors.append(mutant.name)
    seconds = round(time.monotonic() - started_s, 1)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    count = len(tries)
    return Result(target.path, count, count - len(survivors), survivors, day, seconds)


def _tell(target: Target, mutant: Mutant, has_survived: bool, number: int, count: int) -> None:
    if has_survived:
        print(f"{target.path}:{mutant.line}: survives: {mutant.name}", flush=True)
    if number % PROGRESS_EVERY == 0 or number == count:
        print(f"{target.path}: {number} of {count}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
