"""Controls that are tests by themselves: the simulation, on an engine broken in many ways.

Each rule of its checker has one that fires it (`tests/simulation/test_negative_controls.py`).
"""

from typing import Final

from tests.support.proof.controls.control import Control

_TESTS: Final = "tests/simulation/test_negative_controls.py"

_FIRING: Final = (
    ("P2", "bytes that need not be on disk are dropped from the middle of a log", "hole"),
    ("P5", "receipts name other offsets than the log", "inconsistent_offset"),
    ("P5", "a reader goes on one record too far", "skip"),
    ("P5", "a reader goes on one record too early", "nonmonotonic"),
    ("P6", "batches are sent backwards", "reordered"),
    ("P8", "the last record of a batch is another one than was published", "phantom"),
    ("P9", "a group commits what it has not read", "undelivered"),
    ("P12", "commits are confirmed and not made", "position_regression"),
    ("P12", "a group commits more than was handed out", "position_ahead"),
    ("P12", "a seek is confirmed and not made", "seek_forgotten"),
    ("P10", "what failed comes again at once, whatever its delay", "hasty"),
    ("P9", "what was rejected is not kept among the dead", "unburied"),
    ("P5", "with key lanes, others of its key pass a record that waits for its retry", "overtaken"),
    ("P15", "the last record of a batch is spoiled, the others are not", "torn_batch"),
    ("P21", "retention keeps the newest segment and nothing else", "removed"),
    ("P9", "every third time nobody is told that there is more", "unseen"),
    ("P10", "the crash of a consumer does not count", "uncounted"),
    ("P12", "a partition is taken from a member that is not told of it", "contended"),
    ("P10", "a record whose last attempt was a crash comes again", "undead"),
    ("P10", "crashes of consumers are forgotten at a restart", "recounted"),
    ("P10", "the last failure of a dead record is not listed", "misfiled"),
    ("P9", "what is redriven is discarded", "unrevived"),
    ("P9", "a seek goes one record too far", "unsought"),
    ("P11", "what was discarded comes again", "undiscarded"),
    ("P13", "leases end before their time", "usurped"),
    ("P14", "a producer is forgotten with the records that are removed", "forgotten"),
    ("P21", "what is too old is never removed", "hoarded"),
    ("P21", "records have the time of a wall clock that jumps back", "backdated"),
    ("P20", "a task of the broker fails where a batch takes long to look at", "collapsed"),
    ("P20", "what sessions are known by is kept when they are gone", "leftover"),
    ("P4", "some requests are answered twice", "misspoken"),
    ("P22", "schedules fire before their time", "early"),
    ("P22", "schedules fire long after their time", "late"),
    ("P22", "what is due is appended nowhere", "unfired"),
    ("P22", "what was cancelled comes all the same", "cancelled"),
)

SIMULATED: Final = (
    *(
        Control(promise, broken, f"{_TESTS}::test_rule_fires[{r}]")
        for promise, broken, r in _FIRING
    ),
    Control(
        "P10",
        "what consumers held that are gone is never given back",
        f"{_TESTS}::test_leases_of_consumers_that_are_gone_and_never_end",
    ),
    Control(
        "P21",
        "what a queue group holds is not kept for it",
        f"{_TESTS}::test_queue_groups_whose_hold_is_not_respected",
    ),
    Control(
        "P4",
        "what was sent is told as refused when its time is over",
        f"{_TESTS}::test_what_was_sent_and_is_told_as_refused",
    ),
    Control(
        "P18",
        "rot is taken for a torn tail",
        f"{_TESTS}::test_rot_that_is_taken_for_a_torn_tail",
    ),
)
