"""Every bit of the index of schedules turned over, one at a time.

It is a cache: damage that is noticed is mended by making it anew from the logs. What must not be
is that it says something else than the logs do, and nobody notices.

A test run takes every 701st bit; TEST_LONG=1 (`make faults`) takes them all.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tapemq_broker.storage.schedules.index import BeginFiring, IndexDamaged, Put, Row
from tapemq_broker.storage.schedules.sqlite_index import SqliteScheduleIndex
from tests.support.proof.evidence import Evidence

LONG: Final = bool(os.environ.get("TEST_LONG"))
STEP: Final = 1 if LONG else 701
PROGRESS_BITS: Final = 10_000

TOPICS: Final = (7, 8)
KEYS: Final = [b"key%d" % number for number in range(1, 20, 2)]

pytestmark = pytest.mark.faults


def test_every_bit_flip_in_the_index_of_schedules_is_noticed_or_harmless(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], evidence: Evidence
) -> None:
    image = _image(tmp_path / "index")
    wanted, outcomes = _everything(tmp_path / "index"), Counter[str]()
    bits = range(0, 8 * len(image), STEP)
    evidence.note("P17", cycles=len(bits), unit="bit flips")
    for number, bit in enumerate(bits, 1):
        outcomes[_outcome(tmp_path / "index", image, bit, wanted)] += 1
        if LONG and number % PROGRESS_BITS == 0:
            with capsys.disabled():
                print(f"\n{number} of {len(bits)} bits: {dict(outcomes)}", end="")
    evidence.note(**outcomes)
    assert outcomes.keys() == {"noticed", "emptied", "harmless"}


def _image(path: Path) -> bytes:
    """Two topics with schedules, some with keys, and a firing under way."""
    index = SqliteScheduleIndex(path)
    for topic in TOPICS:
        rows = (
            Row(n, n, 1000 * n + topic, n % 4, b"key%d" % n if n % 2 else b"", 0, b"head", b"r" * n)
            for n in range(1, 21)
        )
        index.apply(topic, 30, [*map(Put, rows), BeginFiring(1, 25, b"shots")])
    index.close()
    return path.read_bytes()


def _everything(path: Path) -> list[object]:
    """All that the broker may ask. Raises IndexDamaged."""
    index = SqliteScheduleIndex(path)
    try:
        index.inspection().run()
        return [
            sorted(index.topics()),
            *(index.state(topic) for topic in TOPICS),
            *(index.page(topic, 0, 0, 100) for topic in TOPICS),
            *(index.oldest(topic, 100, 10**9) for topic in TOPICS),
            *(index.find_key(topic, key) for topic in TOPICS for key in KEYS),
            index.due(10**9, 100, 10**9),
            index.next_due_us(0),
            index.next_due_us(5000),
        ]
    finally:
        index.close()


def _outcome(path: Path, image: bytes, bit: int, wanted: list[object]) -> str:
    flipped = bytearray(image)
    flipped[bit // 8] ^= 1 << (bit % 8)
    path.write_bytes(flipped)
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    try:
        found = _everything(path)
    except IndexDamaged:
        return "noticed"
    if found == wanted:
        return "harmless"
    assert found[0] == [], f"bit {bit}: {found}"
    return "emptied"
