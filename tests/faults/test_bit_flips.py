"""Every bit of a data directory turned over, one at a time, after a clean stop and after a crash.

Each must be noticed, with the place of the damage: refused at the start, or an error when it is
read. Only what was written since the last sync that another batch proves may be cut off, and is
kept aside then. Or it is harmless: a cache that is made anew. Never is a wrong record read, and
never does damage in one segment cost a record in another one.

A test run takes every 200th bit or so; TEST_LONG=1 (`make faults`) takes them all.
"""

import os
from collections import Counter

import pytest

from tests.support.bit_flips import check_flip
from tests.support.proof.evidence import Evidence
from tests.support.sample_directory import Sample, build_sample

LONG = bool(os.environ.get("TEST_LONG"))
STEP = 1 if LONG else 211  # A prime, so that the bits of the headers are met in turn.
PROGRESS_BITS = 2000

SAMPLES = {"clean": build_sample(is_clean=True), "crashed": build_sample(is_clean=False)}
FILES = [
    pytest.param(sample, path, id=f"{ending}-{path}")
    for ending, sample in SAMPLES.items()
    for path in sample.image
]

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(("sample", "path"), FILES)
def test_every_bit_flip_is_noticed_or_harmless(
    sample: Sample, path: str, capsys: pytest.CaptureFixture[str], evidence: Evidence
) -> None:
    outcomes: Counter[str] = Counter()
    bits = range(0, 8 * len(sample.image[path]), STEP)
    evidence.note("P17", "P18", cycles=len(bits), unit="bit flips")
    for number, bit in enumerate(bits, 1):
        try:
            outcomes[check_flip(sample, path, bit)] += 1
        except AssertionError as error:
            raise AssertionError(f"bit {bit} of {path}: {error}") from error
        if LONG and (number % PROGRESS_BITS == 0 or number == len(bits)):
            with capsys.disabled():
                print(f"\n{path}: {number} of {len(bits)} bits: {dict(outcomes)}", end="")
    evidence.note(**{outcome.replace(" ", "_"): count for outcome, count in outcomes.items()})
    assert outcomes.total() == len(bits)


def test_all_ends_of_a_flip_occur() -> None:
    """The checks would pass, too, if every start refused everything."""
    log = SAMPLES["crashed"].segments
    newest, oldest = SAMPLES["crashed"].image[log[-1]], SAMPLES["crashed"].image[log[0]]
    ends = {check_flip(SAMPLES["crashed"], log[-1], bit) for bit in (5, 8 * len(newest) - 5)}
    ends |= {check_flip(SAMPLES["crashed"], log[0], bit) for bit in (8 * len(oldest) // 2,)}
    ends |= {check_flip(SAMPLES["clean"], "CLEAN", 5)}
    assert ends == {"refused", "cut", "error when read", "harmless"}
