"""`make fuzz`: every decoder for a minute of CPU time; `make fuzz ARGS="--seconds 1800"` for 30.

`--only WORDS` chooses decoders whose names contain them, `--family` those that read the like;
with `--together` the seconds are those of all that are chosen. An input that is answered by an
error that the decoder does not declare is kept in tests/golden/fuzz, and tried in every test run.
"""

import argparse
import os
import secrets
import sys
import time
from pathlib import Path

from tests.support.fuzz.decoders import FAMILIES, chosen_decoders
from tests.support.fuzz.fuzzing import Decoder, Find, Tally, fuzz_for, keep
from tests.support.proof.evidence import Evidence, write
from tests.support.sources import ROOT

PROGRESS_S = 10.0


def main() -> int:
    """Returns how many decoders were found out."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--seconds", type=float, default=60.0, help="of CPU time, for each decoder")
    parser.add_argument("--only", default="", help="a part of the names of those to try")
    parser.add_argument("--family", choices=tuple(FAMILIES), default="", help="what they read")
    parser.add_argument("--together", action="store_true", help="let them share the seconds")
    parser.add_argument("--seed", type=int, default=None, help="of the first inputs")
    chosen = parser.parse_args()
    directory = Path(os.environ.get("TEST_EVIDENCE", ROOT / "build" / "evidence"))
    finds, targets = 0, chosen_decoders(chosen.family, chosen.only)
    seconds = chosen.seconds / max(len(targets), 1) if chosen.together else chosen.seconds
    for decoder in targets:
        seed = secrets.randbelow(1 << 48) if chosen.seed is None else chosen.seed
        finds += _try(decoder, seconds, seed, directory)
    return finds


def _try(decoder: Decoder, seconds: float, seed: int, directory: Path) -> int:
    evidence, told = Evidence(), time.monotonic()

    def progress(tally: Tally, left: float) -> None:
        nonlocal told
        if time.monotonic() - told > PROGRESS_S:
            told = time.monotonic()
            print(f"{decoder.name}: {tally.inputs} inputs, {left:.0f} s left", file=sys.stderr)

    tally, find = Tally(), None
    try:
        tally = fuzz_for(decoder, seconds, seed, progress)
    except Find as error:
        find = error
        path = keep(decoder, error.data)
        print(f"{error}\nkept as {path.relative_to(ROOT)}", file=sys.stderr)
    evidence.note("P17", "P25", unit="inputs", cycles=tally.inputs, taken=tally.taken)
    evidence.note(refused=tally.refused.total(), undeclared=int(find is not None), seeds=str(seed))
    evidence.note(cpu_s=round(seconds))
    line = evidence.line(f"fuzz::{decoder.name}", "failed" if find else "passed", directory)
    write(directory, line._replace(form="long"))
    print(
        f"{decoder.name}: {tally.inputs} inputs in {seconds:g} s, {tally.taken} taken", flush=True
    )
    return int(find is not None)


if __name__ == "__main__":
    raise SystemExit(main())
